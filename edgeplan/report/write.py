"""From files to the page: read, lay out, render, and put in place in one step."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from edgeplan.errors import UsageError
from edgeplan.extras import require
from edgeplan.report.inputs import read_inputs


def render_report(paths: Sequence[Path]) -> str:
    """Make the page of an instance, its results and its runs, in any order and number.

    Parameters
    ----------
    paths
        JSON files: results and run reports with their instance; of several instances, each with its own.

    Returns
    -------
    str
        One HTML document that loads nothing from elsewhere; the same files give the same text.

    Raises
    ------
    InvalidInputError
        When a file breaks its format.
    UsageError
        When a file is of no known kind, or its instance is missing among others.
    MissingExtraError
        When matplotlib or jinja2 is not installed.
    """
    for module in ("matplotlib", "jinja2"):
        require(module, purpose="edgeplan report")
    from edgeplan.report.page import render_page

    return render_page(read_inputs(paths))


def write_report(paths: Sequence[Path], output: Path) -> Path:
    """Write the page of `render_report` to a file, whole or not at all.

    Parameters
    ----------
    paths
        JSON files: results and run reports with their instance; of several instances, each with its own.
    output
        Where the page goes; an earlier page there is replaced.

    Raises
    ------
    InvalidInputError
        When a file breaks its format.
    UsageError
        When files do not belong together, or `output` cannot be written.
    MissingExtraError
        When matplotlib or jinja2 is not installed.
    """
    output = Path(output)
    _replace(output, render_report(paths))
    return output


def _replace(output: Path, text: str) -> None:
    aside = output.with_name(f".{output.name}.{os.getpid()}.part")
    try:
        aside.write_text(text, encoding="utf-8", errors="backslashreplace")
        aside.replace(output)
    except OSError as error:
        aside.unlink(missing_ok=True)
        reason = error.strerror or error
        raise UsageError(f"{output}: cannot be written: {reason}; name a writable file") from None
