"""The metrics of a schedule of slots as a page reads them from a result."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from edgeplan.models.fields import ANY_ARRAY, Name, NonNegative
from edgeplan.models.reading import read_document
from edgeplan.models.result import Result
from edgeplan.models.segment_scheduling import SegmentScheduling
from edgeplan.report.run_document import Tolerant

ByName = dict[Name, NonNegative]


class SlotMetrics(Tolerant):
    """What one slot takes."""

    latency_s: NonNegative
    """Time of the slot."""
    noise: NonNegative
    """Gradient noise."""
    objective: float | None = None
    """Objective of the slot, for the queues that it meets."""
    queues: ByName = Field(default_factory=dict)
    """Queues behind the slot."""


class ScheduleMetrics(Tolerant):
    """What all slots take."""

    mean_latency_s: NonNegative
    """Mean time of a slot."""
    mean_noise: NonNegative
    """Mean gradient noise."""
    mean_energy_j: ByName = Field(default_factory=dict)
    """Mean energy of each device and control unit."""
    max_queue: ByName = Field(default_factory=dict)
    """Longest queue of each, and of the noise."""
    budget_violation: ByName = Field(default_factory=dict)
    """By how much of the budget each mean exceeds it, 0 where it is kept."""
    slots: Annotated[tuple[SlotMetrics, ...], ANY_ARRAY] = ()
    """The slots in order."""

    @property
    def median_slot(self) -> int | None:
        """Index of the slot of median latency, the lower one of two; None without slots."""
        order = sorted(range(len(self.slots)), key=lambda t: self.slots[t].latency_s)
        return order[(len(order) - 1) // 2] if order else None


def schedule_metrics_of(result: Result) -> ScheduleMetrics | None:
    """Return the metrics of a segment_scheduling result; None where it has none.

    Raises
    ------
    InvalidInputError
        When what stands there is not what the problem's metrics are.
    """
    if result.metrics is None or result.problem != SegmentScheduling.name:
        return None
    return read_document(result.metrics, ScheduleMetrics, source="/metrics of the result")
