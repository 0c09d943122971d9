"""The files of a page: what kind each is, and that all speak of one instance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgeplan.errors import InvalidInputError, UsageError
from edgeplan.models.document import parse
from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.problems import problem_from_document, read_bytes
from edgeplan.models.reading import read_document
from edgeplan.models.result import Result
from edgeplan.report.run_document import RunDocument

_HASH_LETTERS = 12


@dataclass(frozen=True)
class Inputs:
    """What the page is made from; all of one instance.

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
    problem: LayerAssignment | None = None
    results: tuple[Result, ...] = ()
    runs: tuple[RunDocument, ...] = ()


@dataclass
class _Collected:
    """The files read so far, and the first one's instance to compare the others with."""

    problem: LayerAssignment | None = None
    results: list[Result] = field(default_factory=list)
    runs: list[RunDocument] = field(default_factory=list)
    first: tuple[str, str] | None = None

    def match(self, source: str, instance_sha256: str) -> None:
        if self.first is None:
            self.first = (source, instance_sha256)
        elif self.first[1] != instance_sha256:
            ours, theirs = (sha[:_HASH_LETTERS] for sha in (instance_sha256, self.first[1]))
            raise UsageError(
                f"{source}: belongs to instance {ours}..., but {self.first[0]} to {theirs}...; "
                "report the files of one instance at a time"
            )


def read_inputs(paths: Sequence[Path]) -> Inputs:
    """Read the files, tell their kinds, and check that they belong together.

    Raises
    ------
    InvalidInputError
        When a file breaks its format.
    UsageError
        When no file is given, one is of no known kind, or they are of different instances.
    """
    found = _Collected()
    for path in paths:
        _read_file(Path(path), found)
    if found.first is None:
        raise UsageError("no file to report: name an instance, a result or a run report")
    return Inputs(found.first[1], found.problem, tuple(found.results), tuple(found.runs))


def _read_file(path: Path, found: _Collected) -> None:
    source = "stdin" if str(path) == "-" else str(path)
    document, faults = parse(read_bytes(path), source=source)
    kind = _kind(document)
    if kind is None:
        raise UsageError(f"{source}: {_UNKNOWN}")
    if kind == "instance":
        found.problem = problem_from_document(document, also=faults, source=source)
        found.match(source, found.problem.instance_sha256)
        return
    if faults:
        raise InvalidInputError(faults, source)
    if kind == "run":
        found.runs.append(read_document(document, RunDocument, source=source))
        found.match(source, found.runs[-1].instance_sha256)
    else:
        found.results.append(read_document(document, Result, source=source))
        found.match(source, found.results[-1].instance_sha256)


_UNKNOWN = (
    'is no instance ("model" and "network"), no result ("status") and no run report ("kind": "run"); '
    "name one of these"
)


def _kind(document: Any) -> str | None:
    if not isinstance(document, dict):
        return None
    if "kind" in document:
        return "run" if document["kind"] == "run" else None
    if "status" in document:
        return "result"
    return "instance" if "model" in document and "network" in document else None
