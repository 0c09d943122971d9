"""What a run of a policy is measured by, and means over seeds with their confidence intervals.

Over slots t, clusters n and the devices D_n(t) that have a stage of cluster n in slot t:

    latency           mean of T(t)
    s a micro-batch   sum_t T(t) / sum_t (sum_n m_n(t) / N): seconds for a micro-batch of every cluster
    efficiency        sum_t sum_n m_n(t) F / sum_t T(t) sum_n sum_{D_n(t)} flops_per_s: FLOPs done, F those of
                      a micro-batch through all blocks, forward and backward, over what the devices used
                      could have computed in T(t), in which a cluster may wait for the slowest
    efficiency of all the same with all devices, used or not, in the denominator
    memory            most bytes of one device in any slot
    memory of a slot  mean over slots of the most bytes of one device in it
    share of memory   the most over what one device that held all blocks would take with as many micro-batches
    energy            mean over slots of the joules of all devices and control units
    excess            largest of ``mean E_k / budget_k - 1``, at least 0
    noise             mean of G over its budget
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass

from scipy.stats import t as student

from edgeplan.models.segment_scheduling import SegmentScheduling
from edgeplan.models.segment_scheduling.cluster_cost import ClusterCost
from edgeplan.models.segment_scheduling.instance import Cluster
from edgeplan.models.segment_scheduling.queues import budgets_j
from edgeplan.models.segment_scheduling.slot_cost import SlotCost


@dataclass(frozen=True)
class Measures:
    """The figures of a run, or of a part of its slots; the module says what each is."""

    latency_s: float
    micro_batch_s: float
    efficiency: float
    efficiency_of_all: float
    memory_bytes: float
    slot_memory_bytes: float
    memory_share: float
    energy_j: float
    excess: float
    noise: float
    micro_batches: float
    stages: float

    def to_document(self) -> dict[str, float]:
        """Return the figures by name."""
        return asdict(self)


def measures(problem: SegmentScheduling, costs: Sequence[SlotCost]) -> Measures:
    """Measure slots of a run."""
    busy_s = math.fsum(cost.latency_s for cost in costs)
    entries = [entry for cost in costs for entry in cost.clusters]
    clusters = len(problem.instance.clusters)
    micro_batches = sum(entry.micro_batches for entry in entries) / clusters
    worked = sum(entry.micro_batches for entry in entries) * math.fsum(problem.segments.block_flops)
    every = [device for cluster in problem.instance.clusters for device in cluster.devices]
    largest = [max(stage.memory_bytes for entry in cost.clusters for stage in entry.stages) for cost in costs]
    most = max(largest)
    return Measures(
        latency_s=busy_s / len(costs),
        micro_batch_s=busy_s / micro_batches,
        efficiency=worked / math.fsum(cost.latency_s * _used_flops_per_s(problem, cost) for cost in costs),
        efficiency_of_all=worked / (busy_s * math.fsum(device.flops_per_s for device in every)),
        memory_bytes=most,
        slot_memory_bytes=_mean(largest),
        memory_share=most / memory_of_all_bytes(problem, max(entry.micro_batches for entry in entries)),
        energy_j=_mean(math.fsum(cost.energy_j.values()) for cost in costs),
        excess=worst_excess(problem, costs),
        noise=_mean(cost.noise for cost in costs) / problem.instance.control.noise_budget,
        micro_batches=micro_batches / len(costs),
        stages=_mean(len(entry.stages) for entry in entries),
    )


def _used_flops_per_s(problem: SegmentScheduling, cost: SlotCost) -> float:
    pairs = zip(problem.instance.clusters, cost.clusters, strict=True)
    return math.fsum(speed for cluster, entry in pairs for speed in _speeds(cluster, entry))


def _speeds(cluster: Cluster, entry: ClusterCost) -> Iterable[float]:
    return (cluster.devices[stage.device].flops_per_s for stage in entry.stages)


def memory_of_all_bytes(problem: SegmentScheduling, micro_batches: int) -> int:
    """Bytes of one device that holds all blocks."""
    segments = problem.segments
    return segments.memory_bytes(0, segments.num_blocks - 1, segments.in_flight(micro_batches, 1))


def worst_excess(problem: SegmentScheduling, costs: Sequence[SlotCost]) -> float:
    """Return the largest share by which a mean energy exceeds its budget."""
    budgets = budgets_j(problem.instance)
    means = {name: _mean(cost.energy_j[name] for cost in costs) for name in budgets}
    return max(0.0, *(means[name] / budgets[name] - 1 for name in budgets))


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return math.fsum(listed) / len(listed)


@dataclass(frozen=True)
class Interval:
    """A mean over seeds and half the width of its 95 % confidence interval (t); None of one seed."""

    mean: float
    half: float | None

    def text(self, write: Callable[[float], str]) -> str:
        """Write both in the same way."""
        if self.half is None:
            return write(self.mean)
        return f"{write(self.mean)} ± {write(self.half)}"


def interval(values: Sequence[float]) -> Interval:
    """Return the mean and its interval.

    Examples
    --------
    >>> interval([1.0, 2.0, 3.0]).text("{:.3f}".format)
    '2.000 ± 2.484'
    """
    mean, count = _mean(values), len(values)
    if count < 2:
        return Interval(mean, None)
    variance = math.fsum((value - mean) ** 2 for value in values) / (count - 1)
    return Interval(mean, float(student.ppf(0.975, count - 1)) * math.sqrt(variance / count))
