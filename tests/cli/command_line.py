"""Calls of the command line, in this process and in one of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edgeplan.__main__ import main


@dataclass(frozen=True)
class Called:
    """How a call ended."""

    code: int | str | None
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.err.splitlines()


class CommandLine:
    """Calls `edgeplan` in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *arguments: str | Path) -> Called:
        self._monkeypatch.setattr(sys, "argv", ["edgeplan", *map(str, arguments)])
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = self._capsys.readouterr()
        return Called(ended.value.code, out, err)


def in_a_process(*arguments: str | Path, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Call `edgeplan` in a process of its own."""
    command = [sys.executable, "-m", "edgeplan", *map(str, arguments)]
    return subprocess.run(command, input=given, capture_output=True, check=False, timeout=120)


def write(path: Path, document: Any) -> Path:
    """Write a document beside the others of a test."""
    path.write_text(json.dumps(document), encoding="utf-8")
    return path
