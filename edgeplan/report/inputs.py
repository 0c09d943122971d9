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
from edgeplan.models.segment_scheduling.sweep import Sweep
from edgeplan.models.simulated import Simulation
from edgeplan.models.sparse_update import SparseUpdate
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
    results, runs, sweeps, simulations
        In the order given.
    """

    instance_sha256: str
    problem: Problem | None = None
    results: tuple[Result, ...] = ()
    runs: tuple[RunDocument, ...] = ()
    sweeps: tuple[Sweep, ...] = ()
    simulations: tuple[Simulation, ...] = ()

    @property
    def assignment(self) -> LayerAssignment | None:
        """The instance where it is one of layer_assignment."""
        return self.problem if isinstance(self.problem, LayerAssignment) else None

    @property
    def scheduling(self) -> SegmentScheduling | None:
        """The instance where it is one of segment_scheduling."""
        return self.problem if isinstance(self.problem, SegmentScheduling) else None

    @property
    def updating(self) -> SparseUpdate | None:
        """The instance where it is one of sparse_update."""
        return self.problem if isinstance(self.problem, SparseUpdate) else None


@dataclass
class _Collected:
    """The files of one instance read so far; `source` is the first of them."""

    source: str
    problem: Problem | None = None
    results: list[Result] = field(default_factory=list)
    runs: list[RunDocument] = field(default_factory=list)
    sweeps: list[Sweep] = field(default_factory=list)
    simulations: list[Simulation] = field(default_factory=list)

    def inputs(self, sha: str) -> Inputs:
        """Close the gathering."""
        return Inputs(
            sha,
            self.problem,
            tuple(self.results),
            tuple(self.runs),
            tuple(self.sweeps),
            tuple(self.simulations),
        )


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
        raise UsageError(
            "no file to report: name an instance, a result, a run report, a sweep or a simulation"
        )
    if len(found) > 1:
        _refuse_strangers(found)
    return tuple(group.inputs(sha) for sha, group in found.items())


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
    read = read_document(document, _KINDS[kind], source=source)
    group = found.setdefault(read.instance_sha256, _Collected(source))
    if isinstance(read, RunDocument):
        group.runs.append(read)
    elif isinstance(read, Sweep):
        group.sweeps.append(read)
    elif isinstance(read, Simulation):
        group.simulations.append(read)
    else:
        group.results.append(read)


_KINDS: dict[str, type[RunDocument | Sweep | Simulation | Result]] = {
    "run": RunDocument,
    "sweep": Sweep,
    "simulation": Simulation,
    "result": Result,
}
_UNKNOWN = (
    'is no instance ("model" and "network" or "clusters", or "layers" and "devices"), no result '
    '("status"), no run report ("kind": "run"), no sweep ("kind": "sweep") and no simulation ("kind": '
    '"simulation"); name one of these'
)


def _kind(document: Any) -> str | None:
    if not isinstance(document, dict):
        return None
    if "kind" in document:
        return document["kind"] if document["kind"] in ("run", "sweep", "simulation") else None
    if "status" in document:
        return "result"
    is_instance = "model" in document and document.keys() & {"network", "clusters"}
    return "instance" if is_instance or document.keys() >= {"layers", "devices"} else None
