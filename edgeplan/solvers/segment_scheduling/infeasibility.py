"""Instances without a plan: which limits conflict, how little would mend them, and a second reason.

A cluster has no structure if the memories of its devices are too small together, or if bits must flow where
there is no band or power. Both are decided by the search over sets of devices; pricing, whose programmes
over blocks share no code with it, must find nothing either.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgeplan.errors import BackendError
from edgeplan.models.faults import Path
from edgeplan.models.result import Conflict
from edgeplan.models.segment_scheduling import SegmentScheduling
from edgeplan.solvers.segment_scheduling.first_structures import Feasibility, UndecidedError
from edgeplan.solvers.segment_scheduling.pricing import ClusterPrices, price_cluster
from edgeplan.solvers.segment_scheduling.slot_arrays import InstanceArrays, Prices

_ANY_COST = 1e200


@dataclass(frozen=True)
class Infeasibility:
    """The limits of a cluster that cannot hold together, and how that was confirmed."""

    conflicts: tuple[Conflict, ...]
    second_reason: str


def infeasibility(problem: SegmentScheduling) -> Infeasibility | None:
    """Return why the instance has no plan, or None if it has one.

    Raises
    ------
    BackendError
        When it could not be decided, or the two reasons contradict each other.
    """
    arrays = InstanceArrays(problem)
    for n, cluster in enumerate(problem.instance.clusters):
        feasibility = Feasibility(arrays, n, [True] * len(cluster.devices))
        try:
            if feasibility.structure() is not None:
                continue
        except UndecidedError:
            raise BackendError(
                f"whether cluster {cluster.id} can run the encoder could not be decided; "
                "its devices have too many different memories"
            ) from None
        if not feasibility.uploads:
            reason = f"the control unit of cluster {cluster.id} must upload, and its rate is 0 by (3)"
            return Infeasibility((_uplink_conflict(problem, n),), reason)
        _confirm(arrays, n)
        reason = f"cluster {cluster.id} has no segmentation: sets of devices and pricing over blocks agree"
        return Infeasibility(_memory_conflicts(feasibility), reason)
    return None


def _confirm(arrays: InstanceArrays, n: int) -> None:
    """Have pricing find no structure for any number of micro-batches."""
    problem = arrays.problem
    gains = next(iter(problem.gains()))
    prices = Prices(1.0, dict.fromkeys(problem.initial_queues.energy_j, 0.0), 0.0)
    slot = arrays.slot(prices, gains, None)
    every = range(1, problem.instance.training.max_micro_batches + 1)
    priced = price_cluster(slot, n, ClusterPrices(1.0, 1e-9), every, cutoff=_ANY_COST)
    if priced.structures or priced.bound < _ANY_COST:
        raise BackendError(
            f"pricing finds a segmentation of cluster {problem.instance.clusters[n].id} that should not exist"
        )


def _uplink_conflict(problem: SegmentScheduling, n: int) -> Conflict:
    """Name the limit of 0 on an uplink over which bits must flow."""
    cluster, band_hz = problem.instance.clusters[n], problem.instance.uplink_bandwidth_hz
    path: Path = ("uplink_bandwidth_hz",)
    if band_hz > 0:
        path = ("clusters", n, "uplink_max_power_w")
    message = f"cluster {cluster.id} must upload, and {path[-1]} is 0; it must be above 0"
    return Conflict.at(path, need="above 0", have=0.0, message=message)


def _memory_conflicts(feasibility: Feasibility) -> tuple[Conflict, ...]:
    """Memories that cannot hold the encoder together: those whose growth alone would help."""
    n, problem = feasibility.cluster, feasibility.arrays.problem
    cluster = problem.instance.clusters[n]
    conflicts = []
    for index, device in enumerate(cluster.devices):
        need = _least_memory(feasibility, index)
        if need is None:
            continue
        message = (
            f"the memories of cluster {cluster.id} cannot hold the encoder; {device.id} alone would need "
            f"{need} bytes and has {device.memory_bytes}"
        )
        path: Path = ("clusters", n, "devices", index, "memory_bytes")
        conflicts.append(
            Conflict.at(
                path, need=need, have=device.memory_bytes, change_to=need, restores=True, message=message
            )
        )
    return tuple(conflicts)


def _least_memory(feasibility: Feasibility, index: int) -> int | None:
    """Least memory of one device with which the cluster has a structure; None if none helps."""
    if feasibility.structure(unlimited=index) is None:
        return None
    segments = feasibility.arrays.problem.segments
    device = feasibility.arrays.problem.instance.clusters[feasibility.cluster].devices[index]
    sizes = sorted(
        {
            segments.memory_bytes(first, last, 1)
            for first in range(segments.num_blocks)
            for last in range(first, segments.num_blocks)
        }
    )
    low, high = 0, len(sizes) - 1
    while low < high:
        middle = (low + high) // 2
        other = feasibility.arrays.with_memory({device.id: sizes[middle]})
        found = Feasibility(other, feasibility.cluster, feasibility.present).structure()
        low, high = (low, middle) if found is not None else (middle + 1, high)
    return sizes[low]
