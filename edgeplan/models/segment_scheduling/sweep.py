"""A sweep over the trade-off V: how latency falls and queues grow, beside what no policy can beat."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from edgeplan.models.fields import ANY_ARRAY, Count, Document, Name, NonNegative, Positive
from edgeplan.models.result import SolverInfo


class SweepPoint(Document):
    """One horizon with one trade-off; "late" is the second half of the horizon."""

    tradeoff: Positive
    """Price of time V, in 1/s."""
    mean_latency_s: NonNegative
    """Mean of T."""
    late_latency_s: NonNegative
    """Mean of T, late."""
    late_queue: NonNegative
    """Sum of all queues, each in its own budget; mean, late."""
    end_queue: NonNegative
    """The same behind the last slot."""
    worst_violation: NonNegative
    """Largest share by which a budget is exceeded in the mean of all slots."""
    late_violation: NonNegative
    """The same, late."""
    offline_bound_s: float
    """Mean T that no policy can beat whose averages keep the budgets on these channels."""
    late_bound_s: float
    """The same of the second half alone."""
    run_bound_s: float
    """Mean T that no policy can beat that ends with the queues of this run."""
    open_slots: Count
    """Slots that were not solved to the gap asked for."""
    slots_per_s: NonNegative
    """Decisions per second of the run."""


class FailedPoint(Document):
    """A trade-off without a plan."""

    tradeoff: Positive
    """Price of time V, in 1/s."""
    reason: str
    """Why there is none."""


class Sweep(Document):
    """The answer of ``edgeplan sweep``."""

    format: Literal["edgeplan/1"] = "edgeplan/1"
    """Version of the wire format."""
    kind: Literal["sweep"] = "sweep"
    """Tells this document from results and runs."""
    problem: Name
    """Name of the problem."""
    instance_sha256: str
    """Hash of the instance, whose own trade-off does not matter."""
    name: Name
    """Title of the instance."""
    slots: Count
    """Length of each horizon."""
    points: Annotated[tuple[SweepPoint, ...], ANY_ARRAY]
    """One a trade-off, ascending."""
    failed: Annotated[tuple[FailedPoint, ...], ANY_ARRAY] = ()
    """Trade-offs that were asked for and have no plan."""
    solver: SolverInfo
    """Which solver, and how it was set."""
    runtime_s: NonNegative
    """Wall-clock seconds of all."""

    def to_document(self) -> dict[str, Any]:
        """Return the sweep as plain JSON values."""
        return self.model_dump(mode="json")
