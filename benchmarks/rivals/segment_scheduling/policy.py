"""What a policy is: gains and queues of a slot in, a decision out; and what all policies share."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from edgeplan.models.segment_scheduling import Gains, Queues, SegmentScheduling, SlotPlan
from edgeplan.models.segment_scheduling.plan import ClusterPlan, StagePlan
from edgeplan.models.segment_scheduling.slot_cost import SlotCost
from edgeplan.solvers.segment_scheduling.slot_arrays import Prices, Structure


@dataclass(frozen=True)
class Decided:
    """A decision, and the relative gap to which its own problem was solved; None where nothing is proven."""

    plan: SlotPlan
    gap: float | None = None


class Policy(Protocol):
    """Decides slot after slot."""

    def decide(self, gains: Gains, queues: Queues, until: float) -> Decided:
        """Decide a slot for its gains and the queues met, by `until` on the monotonic clock."""

    def notes(self) -> list[str]:
        """Say where the rule had to be bent for a legal decision."""


class Segmentation(Protocol):
    """A rule for the stages of one cluster."""

    def __call__(self, cluster: int, micro_batches: int, gains: Gains) -> Structure | None:
        """Return the structure with so many micro-batches; None where none of this kind fits."""

    def notes(self) -> list[str]:
        """Say where the rule had to be bent for the memory."""


def asked_micro_batches(problem: SegmentScheduling) -> int:
    """Return how many micro-batches of every cluster keep the noise budget, at most those allowed.

    Examples
    --------
    >>> from edgeplan.models.segment_scheduling.examples import two_blocks_two_phones
    >>> asked_micro_batches(two_blocks_two_phones())
    2
    """
    control, training = problem.instance.control, problem.instance.training
    all_samples = control.noise_level / control.noise_budget
    each = all_samples / training.micro_batch_size / len(problem.instance.clusters)
    return min(max(1, math.ceil(each - 1e-9)), training.max_micro_batches)


def skeleton(problem: SegmentScheduling, structures: Mapping[int, Structure]) -> SlotPlan:
    """Write structures of all clusters as a decision that has no bands and powers yet."""
    instance = problem.instance
    names = [block.name for block in instance.model.layers]
    entries = []
    for n, cluster in enumerate(instance.clusters):
        structure = structures[n]
        runs = itertools.pairwise((0, *structure.ends))
        stages = tuple(
            StagePlan(device=cluster.devices[device].id, layers=tuple(names[start:end]))
            for device, (start, end) in zip(structure.devices, runs, strict=True)
        )
        entries.append(ClusterPlan(id=cluster.id, micro_batches=structure.micro_batches, stages=stages))
    return SlotPlan(clusters=tuple(entries))


def priced(prices: Prices, cost: SlotCost) -> float:
    """Return a slot's objective for any prices, the noise left out."""
    energy = math.fsum(prices.joule[name] * joules for name, joules in cost.energy_j.items())
    return prices.second * cost.latency_s + energy


def relative_gap(objective: float, bound: float, scale: float | None = None) -> float:
    """Return the distance of objective and bound, relative to the objective or another scale."""
    return max(0.0, objective - bound) / max(1e-12, abs(objective if scale is None else scale))
