"""The problems by name, and the way from a file to a problem."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from edgeplan.errors import InvalidInputError, UsageError
from edgeplan.models.document import parse
from edgeplan.models.explanation import Explanation
from edgeplan.models.faults import Fault, in_document_order
from edgeplan.models.layer_assignment import LayerAssignment, LayerAssignmentInstance, Plan
from edgeplan.models.result import Result

FORMAT = "edgeplan/1"
PROBLEMS = {LayerAssignment.name: LayerAssignment}


def read_bytes(path: str | Path) -> bytes:
    """Read a file, or standard input for ``-``.

    Raises
    ------
    UsageError
        When it cannot be read, with the reason.
    """
    if str(path) == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}; name a readable file") from None


def load(path: str | Path) -> LayerAssignment:
    """Read an instance from a file, or from standard input for ``-``.

    Raises
    ------
    InvalidInputError
        With every fault of the document.
    """
    source = "stdin" if str(path) == "-" else str(path)
    document, faults = parse(read_bytes(path), source=source)
    return problem_from_document(document, also=faults, source=source)


def problem_from_document(
    document: Any, *, also: list[Fault] | None = None, source: str | None = None
) -> LayerAssignment:
    """Build the problem that a parsed instance document states.

    Raises
    ------
    InvalidInputError
        With every fault of the document.
    """
    faults = list(also or [])
    if not isinstance(document, dict):
        faults.append(Fault((), "must be an object that begins with {; write an instance", document))
        raise InvalidInputError(in_document_order(faults), source)
    name = document.get("problem")
    if isinstance(name, str) and name not in PROBLEMS:
        raise InvalidInputError(in_document_order([*faults, *_header_faults(document)]), source)
    known = PROBLEMS[name] if isinstance(name, str) else LayerAssignment  # the only one so far
    return known.from_document(document, also=faults, source=source)


def _header_faults(document: dict[str, Any]) -> list[Fault]:
    """Faults of a document of an unknown problem, whose other members nothing can be said of."""
    known = " or ".join(repr(name) for name in PROBLEMS)
    faults = [Fault(("problem",), f"must be {known}; name a known problem", document["problem"])]
    if "format" not in document:
        faults.append(Fault(("format",), f"required member is missing; add it, {FORMAT!r}"))
    elif document["format"] != FORMAT:
        faults.append(Fault(("format",), f"must be {FORMAT!r}", document["format"]))
    return faults


def schemas(name: str) -> dict[str, Any]:
    """JSON Schemas of a problem's instance, plan, result and explanation.

    Examples
    --------
    >>> sorted(schemas("layer_assignment"))
    ['explanation', 'instance', 'plan', 'result']
    """
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    kinds: dict[str, type[BaseModel]] = {
        "instance": LayerAssignmentInstance,
        "plan": Plan,
        "result": Result,
        "explanation": Explanation,
    }
    return {part: dialect | kind.model_json_schema(by_alias=True) for part, kind in kinds.items()}
