"""The command line as a function."""

from __future__ import annotations

import pytest
from command_line import CommandLine


@pytest.fixture
def edgeplan(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """Call the command line in this process."""
    return CommandLine(monkeypatch, capsys)
