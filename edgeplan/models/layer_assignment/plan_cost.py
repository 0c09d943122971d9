"""What a plan takes, stage by stage, whatever the schedule."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Visit:
    """A stage with known names: index of the node and indices of its own layers."""

    node: int
    own_layers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class VisitCost:
    """What one stage takes; times in seconds, None from the first stage that fits no window on."""

    visit: Visit
    memory_bytes: int
    compute_s: float
    transfer_in_s: float
    transfer_out_s: float
    bytes_in: int
    bytes_out: int
    start_s: float | None
    compute_start_s: float | None
    end_s: float | None


@dataclass(frozen=True, slots=True)
class PlanCost:
    """What the round, or the batch of a pipeline, takes; `time_s` is None where no window fits."""

    visits: tuple[VisitCost, ...]
    time_s: float | None
    energy_j: float
    price: float
    bottleneck_s: float
    bytes_moved: int
