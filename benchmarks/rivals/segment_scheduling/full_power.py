"""Full power and equal bands: no allocation at all.

Each hop over which bits flow gets the same share of its cluster's band, each cluster the same share of the
uplink's, all send at the most power they may.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.rivals.segment_scheduling.policy import (
    Decided,
    Segmentation,
    asked_micro_batches,
    relative_gap,
    skeleton,
)
from edgeplan.errors import BackendError
from edgeplan.models.segment_scheduling import Gains, Queues, SegmentScheduling, SlotPlan
from edgeplan.models.segment_scheduling.cluster_cost import bits_flow
from edgeplan.models.segment_scheduling.instance import Cluster
from edgeplan.models.segment_scheduling.plan import ClusterPlan, UplinkPlan
from edgeplan.models.segment_scheduling.slot_cost import slot_cost
from edgeplan.solvers.segment_scheduling.slot_arrays import Prices, Structure
from edgeplan.solvers.segment_scheduling.slot_series import SlotSeries


def at_full_power(problem: SegmentScheduling, plan: SlotPlan) -> SlotPlan:
    """Replace all bands and powers of a decision, its stages and micro-batches kept."""
    cluster_of = {cluster.id: cluster for cluster in problem.instance.clusters}
    return SlotPlan(clusters=tuple(_entry(problem, cluster_of[entry.id], entry) for entry in plan.clusters))


def _entry(problem: SegmentScheduling, cluster: Cluster, entry: ClusterPlan) -> ClusterPlan:
    power_w = {device.id: device.max_power_w for device in cluster.devices}
    stages = list(entry.stages)
    sending = [k for k in range(len(stages) - 1) if bits_flow(problem.segments, stages, k)]
    for k, stage in enumerate(stages):
        hop = {"bandwidth_hz": None, "power_w": None}
        if k in sending:
            hop = {
                "bandwidth_hz": cluster.d2d_bandwidth_hz / len(sending),
                "power_w": power_w[stage.device],
            }
        stages[k] = stage.model_copy(update=hop)
    share_hz = problem.instance.uplink_bandwidth_hz / len(problem.instance.clusters)
    uplink = UplinkPlan(bandwidth_hz=share_hz, power_w=cluster.uplink_max_power_w)
    return entry.model_copy(update={"stages": tuple(stages), "uplink": uplink})


@dataclass
class FullPower:
    """A segmentation at full power and equal bands, with the micro-batches that the noise budget asks for.

    Parameters
    ----------
    problem
        The instance.
    segmentation
        The rule for the stages.
    """

    problem: SegmentScheduling
    segmentation: Segmentation

    def decide(self, gains: Gains, queues: Queues, until: float) -> Decided:
        """Decide; queues do not matter."""
        asked = asked_micro_batches(self.problem)
        structures = {n: self._fitting(n, asked, gains) for n in range(len(self.problem.instance.clusters))}
        return Decided(at_full_power(self.problem, skeleton(self.problem, structures)))

    def _fitting(self, n: int, asked: int, gains: Gains) -> Structure:
        """Take as many micro-batches as fit, at most those asked for."""
        found = (self.segmentation(n, m, gains) for m in range(asked, 0, -1))
        structure = next((one for one in found if one is not None), None)
        if structure is None:
            raise BackendError(f"cluster {self.problem.instance.clusters[n].id}: the rule has no segments")
        return structure

    def notes(self) -> list[str]:
        """Say what the segmentation says."""
        return self.segmentation.notes()


class FullPowerOfController:
    """The controller's own stages and micro-batches for the queues met, at full power and equal bands.

    Parameters
    ----------
    problem
        The instance.
    gap
        Relative gap of the controller's slots.
    """

    def __init__(self, problem: SegmentScheduling, gap: float) -> None:
        self._problem, self._series = problem, SlotSeries(problem, gap=gap)

    def decide(self, gains: Gains, queues: Queues, until: float) -> Decided:
        """Solve the slot, and keep its stages and micro-batches alone."""
        prices = Prices.of_queues(self._problem, queues)
        answer = self._series.solve(prices, gains, until=until)
        cost = slot_cost(self._problem.segments, answer.plan, gains, queues)
        gap = relative_gap(cost.objective, answer.bound)
        return Decided(at_full_power(self._problem, answer.plan), gap)

    def notes(self) -> list[str]:
        """Say nothing."""
        return []
