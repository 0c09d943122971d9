"""The problems by name, and the way from a file to a problem."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from edgeplan.errors import InvalidInputError, UsageError
from edgeplan.models.document import parse
from edgeplan.models.explanation import Explanation
from edgeplan.models.faults import Fault, in_document_order
from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.problem import Problem
from edgeplan.models.result import Result
from edgeplan.models.segment_scheduling import SegmentScheduling
from edgeplan.models.simulated import Simulation
from edgeplan.models.sparse_update import SparseUpdate

FORMAT = "edgeplan/1"
_INSTEAD = {
    "replan": "solve the changed instance, its initial_queues as they are now",
    "--write-model": "leave it out",
}
PROBLEMS: dict[str, type[Problem]] = {
    problem.name: problem for problem in (LayerAssignment, SegmentScheduling, SparseUpdate)
}


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


def load(path: str | Path) -> Problem:
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
) -> Problem:
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
    if not isinstance(name, str) or name not in PROBLEMS:
        taken = {fault.path for fault in faults}
        faults += [fault for fault in _header_faults(document) if fault.path not in taken]
        raise InvalidInputError(in_document_order(faults), source)
    return PROBLEMS[name].from_document(document, also=faults, source=source)


def _header_faults(document: dict[str, Any]) -> Iterator[Fault]:
    """Yield what is wrong above the members of a problem, which of an unknown one nobody can judge."""
    for name, known, remedy in (
        ("format", repr(FORMAT), "write it so"),
        ("problem", " or ".join(map(repr, PROBLEMS)), "name a known problem"),
    ):
        if name not in document:
            yield Fault((name,), f"required member is missing; add it, {known}")
        elif name == "problem" or document[name] != FORMAT:
            yield Fault((name,), f"must be {known}; {remedy}", document[name])


def as_layer_assignment(problem: Problem, verb: str) -> LayerAssignment:
    """Return a problem that is layer_assignment, the only one that some verbs know.

    Parameters
    ----------
    verb
        What is asked: ``replan`` or ``--write-model``.

    Raises
    ------
    UsageError
        When it is another problem.
    """
    if not isinstance(problem, LayerAssignment):
        known = LayerAssignment.name
        raise UsageError(f'/problem: "{problem.name}": {verb} knows {known} only; {_INSTEAD[verb]}')
    return problem


def schemas(name: str) -> dict[str, Any]:
    """JSON Schemas of a problem's instance, plan, result, explanation and simulation.

    Examples
    --------
    >>> sorted(schemas("segment_scheduling"))
    ['explanation', 'instance', 'plan', 'result', 'simulation']
    """
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    known = PROBLEMS[name]
    kinds: dict[str, type[BaseModel]] = {
        "instance": known.instance_kind,
        "plan": known.plan_kind,
        "result": Result,
        "explanation": Explanation,
        "simulation": Simulation,
    }
    return {part: dialect | kind.model_json_schema(by_alias=True) for part, kind in kinds.items()}
