"""What a slot takes: time, energies, noise, and the objective for the queues that it meets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgeplan.models.segment_scheduling.channels import Gains
from edgeplan.models.segment_scheduling.cluster_cost import ClusterCost, cluster_cost
from edgeplan.models.segment_scheduling.instance import SegmentSchedulingInstance
from edgeplan.models.segment_scheduling.plan import SlotPlan
from edgeplan.models.segment_scheduling.queues import Queues, budgets_j
from edgeplan.models.segment_scheduling.segments import Segments


@dataclass(frozen=True, slots=True)
class SlotCost:
    """What a slot takes, clusters in document order, and the queues behind it."""

    clusters: tuple[ClusterCost, ...]
    latency_s: float
    energy_j: Mapping[str, float]
    noise: float
    objective: float
    queues: Queues

    def to_document(self) -> dict[str, Any]:
        """Return the slot's metrics."""
        return {
            "latency_s": self.latency_s,
            "energy_j": dict(self.energy_j),
            "noise": self.noise,
            "objective": self.objective,
            "queues": self.queues.to_document(),
        }


def slot_cost(segments: Segments, plan: SlotPlan, gains: Gains, queues: Queues) -> SlotCost:
    """Cost a slot whose structure is whole, for the queues that it meets."""
    instance = segments.instance
    entry_of = {entry.id: entry for entry in plan.clusters}
    costs = tuple(
        cluster_cost(segments, cluster, entry_of[cluster.id], gains) for cluster in instance.clusters
    )
    energy_j = dict.fromkeys(budgets_j(instance), 0.0)
    for cluster, cost in zip(instance.clusters, costs, strict=True):
        for stage in cost.stages:
            energy_j[cluster.devices[stage.device].id] += stage.energy_j
        energy_j[cluster.id] = cost.uplink_energy_j
    latency_s = max(cost.latency_s for cost in costs)
    noise = gradient_noise(instance, costs)
    objective = slot_objective(instance, queues, latency_s, energy_j, noise)
    return SlotCost(costs, latency_s, energy_j, noise, objective, queues.after(instance, energy_j, noise))


def gradient_noise(instance: SegmentSchedulingInstance, costs: Sequence[ClusterCost]) -> float:  # (8)
    """Return G; with every cluster skipped that of one micro-batch."""
    total = sum(cost.micro_batches for cost in costs)
    return instance.control.noise_level / (instance.training.micro_batch_size * max(1, total))


def slot_objective(
    instance: SegmentSchedulingInstance,
    queues: Queues,
    latency_s: float,
    energy_j: Mapping[str, float],
    noise: float,
) -> float:
    """Return ``V T + sum_k (Q_k / budget_k^2) E_k + (Z / noise_budget^2) G``."""
    spending = sum(
        queues.energy_j[name] / budget / budget * energy_j[name]
        for name, budget in budgets_j(instance).items()
        if queues.energy_j[name] > 0
    )
    control = instance.control
    return (
        control.tradeoff * latency_s
        + spending
        + queues.noise / control.noise_budget / control.noise_budget * noise
    )
