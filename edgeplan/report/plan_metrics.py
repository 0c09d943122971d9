"""The metrics of a plan as a page reads them from a result."""

from __future__ import annotations

from typing import Annotated

from edgeplan.models.fields import ANY_ARRAY, Count, Name, NonNegative
from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.models.reading import read_document
from edgeplan.models.result import Result
from edgeplan.report.run_document import Tolerant


class StageMetrics(Tolerant):
    """What one stage costs."""

    node: Name
    """Id of the node."""
    memory_bytes: Count
    """Peak memory."""
    memory_budget_bytes: Count
    """Memory of the node."""
    start_s: NonNegative | None = None
    """Begin of the first transfer; null where no window fits."""
    end_s: NonNegative | None = None
    """End of the last transfer; null where no window fits."""
    compute_s: NonNegative = 0.0
    """Seconds of training."""
    transfer_in_s: NonNegative = 0.0
    """Seconds of the transfer to the node."""
    transfer_out_s: NonNegative = 0.0
    """Seconds of the transfer from the node."""
    bytes_in: Count = 0
    """Bytes brought to the node."""
    bytes_out: Count = 0
    """Bytes sent back."""


class PlanMetrics(Tolerant):
    """What the whole plan costs."""

    time_s: NonNegative | None = None
    """End of the last stage."""
    energy_j: NonNegative | None = None
    """Energy of the round."""
    price: NonNegative | None = None
    """Price of the round."""
    bottleneck_s: NonNegative | None = None
    """Largest compute time of a stage."""
    bytes_moved: Count | None = None
    """Bytes of all transfers."""
    stages: Annotated[tuple[StageMetrics, ...], ANY_ARRAY] = ()
    """Stages in visiting order."""


def plan_of(result: Result) -> Plan | None:
    """Return the plan of a layer_assignment result; None where it has none.

    Raises
    ------
    InvalidInputError
        When what stands there is no plan.
    """
    if result.plan is None or result.problem != LayerAssignment.name:
        return None
    return Plan.from_document(result.plan, source="/plan of the result")


def metrics_of(result: Result) -> PlanMetrics | None:
    """Return the metrics of a layer_assignment result; None where it has none.

    Raises
    ------
    InvalidInputError
        When what stands there is not what formats.md says.
    """
    if result.metrics is None or result.problem != LayerAssignment.name:
        return None
    return read_document(result.metrics, PlanMetrics, source="/metrics of the result")
