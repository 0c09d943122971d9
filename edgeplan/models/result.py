"""The result of a solve: what is known, why it ended, the plan and how good it is.

What is known (`Status`) and why the search ended (`Stop`) are separate facts. Combinations that
cannot be are refused where a result is built.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from edgeplan.models.faults import Path, to_pointer
from edgeplan.models.fields import ANY_ARRAY, Count, Document, Name, NonNegative
from edgeplan.models.replanned import Replanned

OPTIMALITY_GAP = 1e-6


class Status(StrEnum):
    """What is known."""

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"
    INFEASIBLE = "infeasible"
    NO_PLAN = "no_plan"
    FAILED = "failed"


class Stop(StrEnum):
    """Why the search ended."""

    PROOF = "proof"
    GAP = "gap"
    TIME_LIMIT = "time_limit"
    WORK_LIMIT = "work_limit"
    INTERRUPT = "interrupt"
    ERROR = "error"


Figure = float | int | str | None


class Conflict(Document):
    """A limit of an infeasible instance that cannot hold together with the others listed."""

    pointer: str
    """The limit in the instance."""
    need: Figure
    """Value at which this limit would agree with the other conflicts; null where it must go."""
    have: Figure
    """Value that the instance gives."""
    change_to: Figure = None
    """Smallest change of this limit alone that makes the instance feasible; null if none does."""
    restores: bool = False
    """Whether changing (or dropping) this limit alone makes the instance feasible."""
    message: str = ""
    """The same in one sentence."""

    @classmethod
    def at(cls, path: Path, **members: Any) -> Conflict:
        """Build from a path instead of a pointer."""
        return cls(pointer=to_pointer(path), **members)


class SolverInfo(Document):
    """Which solver gave the result, and how it was set."""

    name: Name
    """Name of the solver."""
    version: str
    """Version of its back-end."""
    seed: Count = 0
    """Random seed."""
    workers: Count = 1
    """Parallel workers."""
    options: dict[str, Any] = Field(default_factory=dict)
    """What else matters for repeating the solve."""


class Incumbent(Document):
    """A step of the search: after how many seconds which objective and bound were known."""

    runtime_s: NonNegative
    """Seconds since the start of the solve."""
    objective: float | None = None
    """Best objective known then."""
    bound: float | None = None
    """Best bound known then."""


def gap_between(objective: float | None, bound: float | None) -> float | None:
    """Relative distance of objective and bound; None where one is unknown.

    Examples
    --------
    >>> gap_between(2.0, 1.5), gap_between(2.0, None)
    (0.25, None)
    """
    if objective is None or bound is None:
        return None
    return abs(objective - bound) / max(1e-12, abs(objective))


class Result(Document):
    """The answer to one solve, in the words of formats.md section 4."""

    format: Literal["edgeplan/1"] = "edgeplan/1"
    """Version of the wire format."""
    problem: Name
    """Name of the problem."""
    instance_sha256: str
    """Hash of the instance that was solved."""
    status: Annotated[Status, Field(strict=False)]
    """What is known."""
    stop: Annotated[Stop, Field(strict=False)]
    """Why the search ended."""
    objective: float | None = None
    """Objective of the plan, recomputed by the problem."""
    bound: float | None = None
    """Proven bound on the optimum of the instance as written."""
    gap: float | None = None
    """|objective - bound| / |objective|."""
    plan: dict[str, Any] | None = None
    """The plan in the problem's words."""
    metrics: dict[str, Any] | None = None
    """What the plan costs, term by term."""
    conflicts: Annotated[tuple[Conflict, ...], ANY_ARRAY] = ()
    """For an infeasible instance: a smallest set of limits that cannot hold together."""
    detail: str | None = None
    """How a failure came about, or what limits the answer."""
    replanned: Replanned | None = None
    """After `replan`: the old plan's part in this result; left out otherwise."""
    solver: SolverInfo
    """Which solver, and how it was set."""
    incumbents: Annotated[tuple[Incumbent, ...], ANY_ARRAY] = ()
    """Objectives and bounds as they came."""
    runtime_s: NonNegative
    """Wall-clock seconds of the solve."""

    @model_validator(mode="after")
    def _consistent(self) -> Result:
        has_plan = self.plan is not None
        wants_plan = self.status in (Status.OPTIMAL, Status.FEASIBLE)
        if has_plan != wants_plan or (self.objective is not None) != wants_plan:
            raise ValueError(f"status {self.status} goes {'with' if wants_plan else 'without'} a plan")
        if self.gap != gap_between(self.objective, self.bound):
            raise ValueError("the gap must follow from objective and bound")
        if self.status is Status.OPTIMAL and (self.gap is None or self.gap > OPTIMALITY_GAP):
            raise ValueError("status optimal needs a bound that meets the objective")
        if self.conflicts and self.status is not Status.INFEASIBLE:
            raise ValueError("only an infeasible instance has conflicts")
        proven = self.status in (Status.OPTIMAL, Status.INFEASIBLE)
        if (self.stop is Stop.PROOF) != proven:
            raise ValueError(f"stop {self.stop} does not go with status {self.status}")
        if self.status is Status.FAILED and self.stop is not Stop.ERROR:
            raise ValueError(f"stop {self.stop} does not go with status {self.status}")
        return self

    def to_document(self) -> dict[str, Any]:
        """Return the result as plain JSON values."""
        document = self.model_dump(mode="json")
        if self.plan is None:
            del document["plan"], document["objective"], document["metrics"]
        if self.replanned is None:
            del document["replanned"]
        return document
