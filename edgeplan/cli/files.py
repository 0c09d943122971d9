"""Documents in and out of the command line."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.markup import escape

from edgeplan.cli.console import stderr
from edgeplan.errors import InvalidInputError, UsageError
from edgeplan.models.document import parse
from edgeplan.models.faults import Fault, in_document_order
from edgeplan.models.problem import PlanDocument, Problem
from edgeplan.models.problems import read_bytes

STANDARD = Path("-")


def check_output(path: Path) -> None:
    """Refuse an output that could not be written, before any work is done.

    Raises
    ------
    UsageError
        When the folder is missing or not writable, or the path is a folder.
    """
    if path == STANDARD:
        return
    if path.is_dir():
        raise UsageError(f"{path}: is a folder; name a file")
    if not os.access(path.parent, os.W_OK):
        raise UsageError(f"{path}: cannot be written: {path.parent} is no writable folder; make it first")


def write_text(text: str, path: Path) -> None:
    """Write to a file by way of a temporary one beside it, or to standard output for ``-``."""
    if path == STANDARD:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    try:
        _replace(path, text)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror or error}; make room for it") from None


def _replace(path: Path, text: str) -> None:
    with written_aside(path) as aside:
        aside.write_text(text, encoding="utf-8")


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Give a file to write beside `path`, which takes its place; leave nothing behind on any failure."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix)
    os.close(handle)
    done = False
    try:
        yield Path(name)
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
        done = True
    finally:
        if not done:
            os.unlink(name)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_json(document: Any, path: Path) -> None:
    """Write a document as readable JSON."""
    write_text(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n", path)


def read_document(path: Path) -> tuple[dict[str, Any], str]:
    """Read a JSON document that is no instance; return it and its name.

    Raises
    ------
    InvalidInputError
        With every fault that reading alone can find.
    """
    source = "stdin" if path == STANDARD else str(path)
    document, faults = parse(read_bytes(path), source=source)
    if not isinstance(document, dict):
        faults.append(Fault((), "must be an object that begins with {", document))
    if faults:
        raise InvalidInputError(in_document_order(faults), source)
    return document, source


def read_plan(path: Path, problem: Problem, *, made_for_another: bool = False) -> PlanDocument:
    """Read the plan of a result, or of a bare ``{"plan": ...}``.

    Parameters
    ----------
    made_for_another
        Whether no warning is due where the result belongs to another instance.

    Raises
    ------
    InvalidInputError
        When there is no plan, or it is malformed.
    """
    document, source = read_document(path)
    return plan_in(document, problem, source, made_for_another=made_for_another)


def plan_in(
    document: dict[str, Any], problem: Problem, source: str, *, made_for_another: bool = False
) -> PlanDocument:
    """Return the plan of a parsed result; the rest is as for `read_plan`."""
    if not isinstance(document.get("plan"), dict):
        rule = (
            "must be an object; the result holds no plan"
            if "plan" in document
            else "required member is missing; add it"
        )
        raise InvalidInputError([Fault(("plan",), rule)], source)
    try:
        plan: PlanDocument = problem.plan_from_document(document["plan"])
    except InvalidInputError as error:
        faults = [Fault(("plan", *fault.path), fault.rule, fault.value) for fault in error.faults]
        raise InvalidInputError(faults, source) from None
    made_for = document.get("instance_sha256", problem.instance_sha256)
    if made_for != problem.instance_sha256 and not made_for_another:
        warning = escape(f"{source}: was made for another instance (instance_sha256 differs)")
        stderr.print(f"[yellow]warning:[/yellow] {warning}")
    return plan
