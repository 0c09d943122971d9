"""The files of a page: what kind each is, and which belong to one instance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgeplan.errors import InvalidInputError, UsageError
from edgeplan.models.document import parse
from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.problem import Problem
from edgeplan.models.problems import problem_from_document, read_bytes
from edgeplan.models.reading import read_document
from edgeplan.models.result import Result
from edgeplan.models.segment_scheduling import SegmentScheduling
from edgeplan.report.run_document import RunDocument

_HASH_LETTERS = 12


@dataclass(frozen=True)
class Inputs:
    """What a chapter of the page is made from; all of one instance.

    Parameters
    ----------
    instance_sha256
        Hash of that instance.
    problem
        The instance itself, where its file was given.
    results, runs
        In the order given.
    """

    instance_sha256: str
    problem: Problem | None = None
    results: tuple[Result, ...] = ()
    runs: tuple[RunDocument, ...] = ()

    @property
    def assignment(self) -> LayerAssignment | None:
        """The instance where it is one of layer_assignment."""
        return self.problem if isinstance(self.problem, LayerAssignment) else None

    @property
    def scheduling(self) -> SegmentScheduling | None:
        """The instance where it is one of segment_scheduling."""
        return self.problem if isinstance(self.problem, SegmentScheduling) else None


@dataclass
class _Collected:
    """The files of one instance read so far; `source` is the first of them."""

    source: str
    problem: Problem | None = None
    results: list[Result] = field(default_factory=list)
    runs: list[RunDocument] = field(default_factory=list)


def read_inputs(paths: Sequence[Path]) -> tuple[Inputs, ...]:
    """Read the files, tell their kinds, and gather those of one instance.

    Raises
    ------
    InvalidInputError
        When a file breaks its format.
    UsageError
        When no file is given, one is of no known kind, or files of several instances come without
        those instances.
    """
    found: dict[str, _Collected] = {}
    for path in paths:
        _read_file(Path(path), found)
    if not found:
        raise UsageError("no file to report: name an instance, a result or a run report")
    if len(found) > 1:
        _refuse_strangers(found)
    return tuple(
        Inputs(sha, group.problem, tuple(group.results), tuple(group.runs)) for sha, group in found.items()
    )


def _refuse_strangers(found: dict[str, _Collected]) -> None:
    """Several instances are several chapters; a file whose instance is missing is a mistake."""
    for sha, group in found.items():
        if group.problem is None:
            raise UsageError(
                f"{group.source}: belongs to instance {sha[:_HASH_LETTERS]}..., which is not among the "
                "files, but others are; name the files of one instance, or each instance with its files"
            )


def _read_file(path: Path, found: dict[str, _Collected]) -> None:
    source = "stdin" if str(path) == "-" else str(path)
    document, faults = parse(read_bytes(path), source=source)
    kind = _kind(document)
    if kind is None:
        raise UsageError(f"{source}: {_UNKNOWN}")
    if kind == "instance":
        problem = problem_from_document(document, also=faults, source=source)
        found.setdefault(problem.instance_sha256, _Collected(source)).problem = problem
        return
    if faults:
        raise InvalidInputError(faults, source)
    if kind == "run":
        run = read_document(document, RunDocument, source=source)
        found.setdefault(run.instance_sha256, _Collected(source)).runs.append(run)
    else:
        result = read_document(document, Result, source=source)
        found.setdefault(result.instance_sha256, _Collected(source)).results.append(result)


_UNKNOWN = (
    'is no instance ("model" and "network" or "clusters"), no result ("status") and no run report '
    '("kind": "run"); name one of these'
)


def _kind(document: Any) -> str | None:
    if not isinstance(document, dict):
        return None
    if "kind" in document:
        return "run" if document["kind"] == "run" else None
    if "status" in document:
        return "result"
    return "instance" if "model" in document and document.keys() & {"network", "clusters"} else None
