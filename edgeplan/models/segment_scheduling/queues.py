"""The controller's queues: energy spent beyond each budget, and gradient noise beyond its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgeplan.models.segment_scheduling.instance import NOISE, SegmentSchedulingInstance


@dataclass(frozen=True, slots=True)
class Queues:
    """Queues as a slot meets them.

    Parameters
    ----------
    energy_j
        Q of every device and control unit, by id.
    noise
        Z.
    """

    energy_j: Mapping[str, float]
    noise: float

    @classmethod
    def initial(cls, instance: SegmentSchedulingInstance) -> Queues:
        """Return the queues that the instance begins with."""
        given = instance.initial_queues
        return cls({name: given.get(name, 0.0) for name in budgets_j(instance)}, given.get(NOISE, 0.0))

    def after(
        self, instance: SegmentSchedulingInstance, energy_j: Mapping[str, float], noise: float
    ) -> Queues:
        """Return the queues after a slot of these energies and this noise."""
        queues = {
            name: max(0.0, self.energy_j[name] + energy_j[name] - budget)
            for name, budget in budgets_j(instance).items()
        }
        return Queues(queues, max(0.0, self.noise + noise - instance.control.noise_budget))

    def to_document(self) -> dict[str, float]:
        """Return all queues by name, in the form of `initial_queues`."""
        return {**self.energy_j, NOISE: self.noise}


def budgets_j(instance: SegmentSchedulingInstance) -> dict[str, float]:
    """Energy budget of every device in document order, then of every control unit."""
    devices = {
        device.id: device.energy_budget_j for cluster in instance.clusters for device in cluster.devices
    }
    return devices | {cluster.id: cluster.uplink_energy_budget_j for cluster in instance.clusters}
