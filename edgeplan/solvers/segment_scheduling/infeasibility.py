"""Instances without a plan: which limits conflict, how little would mend them, and a second reason.

A cluster has no structure if the memories of its devices are too small together, or if bits must flow where
there is no band or power. Both are decided by the search over sets of devices; pricing, whose programmes
over blocks share no code with it, must find nothing either.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from edgeplan.errors import BackendError
from edgeplan.models.faults import Path
from edgeplan.models.result import Conflict
from edgeplan.models.segment_scheduling import SegmentScheduling
from edgeplan.solvers.segment_scheduling.first_structures import Feasibility, UndecidedError
from edgeplan.solvers.segment_scheduling.pricing import ClusterPrices, price_cluster
from edgeplan.solvers.segment_scheduling.slot_arrays import InstanceArrays, Prices

_ANY_COST = 1e200
_STATES_OF_CONFLICTS = 1_000  # there are many to try


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
    lacking = [n for n in range(len(problem.instance.clusters)) if not _has_structure(arrays, n)]
    if not lacking:
        return None
    n = lacking[0]
    cluster = problem.instance.clusters[n]
    feasibility = _feasibility(arrays, n)
    if not feasibility.uploads:
        reason = f"the control unit of cluster {cluster.id} must upload, and its rate is 0 by (3)"
        conflicts: tuple[Conflict, ...] = (_uplink_conflict(problem, n),)
    else:
        _confirm(arrays, n)
        why, need = "sets of devices and pricing over blocks agree", _least_need_bytes(problem)
        if _memory_bytes(problem, n) < need:
            have = _memory_bytes(problem, n)
            why = f"its blocks take {need} bytes with one micro-batch, its devices have {have} together"
        reason = f"cluster {cluster.id} has no segmentation: {why}"
        quick = dataclasses.replace(feasibility, max_states=_STATES_OF_CONFLICTS)
        conflicts = (*_memory_conflicts(quick), *_silence_conflicts(quick))
    if len(lacking) > 1:  # no change here alone gives the instance a plan
        others = len(lacking) - 1
        reason += f"; {others} more of its {len(problem.instance.clusters)} clusters have none either"
        conflicts = tuple(c.model_copy(update={"change_to": None, "restores": False}) for c in conflicts)
    return Infeasibility(conflicts, reason)


def _feasibility(arrays: InstanceArrays, n: int) -> Feasibility:
    return Feasibility(arrays, n, [True] * len(arrays.problem.instance.clusters[n].devices))


def _has_structure(arrays: InstanceArrays, n: int) -> bool:
    try:
        return _feasibility(arrays, n).structure() is not None
    except UndecidedError:
        name = arrays.problem.instance.clusters[n].id
        raise BackendError(
            f"whether cluster {name} can run the encoder could not be decided; "
            "its devices have too many different memories"
        ) from None


def _confirm(arrays: InstanceArrays, n: int) -> None:
    """Have pricing find no structure for any number of micro-batches."""
    problem = arrays.problem
    gains = next(iter(problem.gains()))
    prices = Prices(1.0, dict.fromkeys(problem.initial_queues.energy_j, 0.0), 0.0)
    slot = arrays.slot(prices, gains, None)
    every = range(1, problem.instance.training.max_micro_batches + 1)
    priced = price_cluster(slot, n, ClusterPrices(1.0, 1e-9), every, cutoff=_ANY_COST)
    name = problem.instance.clusters[n].id
    if priced.structures:
        raise BackendError(f"pricing finds a segmentation of cluster {name} that should not exist")
    if priced.bound < _ANY_COST and _memory_bytes(problem, n) >= _least_need_bytes(problem):
        raise BackendError(
            f"cluster {name} seems to have no segmentation; pricing did not confirm it in the work allowed"
        )


def _memory_bytes(problem: SegmentScheduling, n: int) -> int:
    return sum(device.memory_bytes for device in problem.instance.clusters[n].devices)


def _least_need_bytes(problem: SegmentScheduling) -> int:
    """Memory of all blocks with one micro-batch: parts of them, each rounded up, take no less."""  # (6)
    return problem.segments.memory_bytes(0, problem.segments.num_blocks - 1, 1)


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


def _silence_conflicts(feasibility: Feasibility) -> Iterator[Conflict]:
    """Bands and powers of 0 without which the memories would do."""
    n, problem = feasibility.cluster, feasibility.arrays.problem
    cluster = problem.instance.clusters[n]
    silent: list[tuple[Path, Collection[int]]] = []
    if cluster.d2d_bandwidth_hz == 0:
        able = [i for i, device in enumerate(cluster.devices) if device.max_power_w > 0]
        silent.append((("clusters", n, "d2d_bandwidth_hz"), able))
    else:
        silent += [
            (("clusters", n, "devices", i, "max_power_w"), [i])
            for i, device in enumerate(cluster.devices)
            if device.max_power_w == 0
        ]
    for path, heard in silent:
        if _found(dataclasses.replace(feasibility, heard=heard)):
            message = f"{path[-1]} is 0, so that blocks cannot be spread over cluster {cluster.id}"
            yield Conflict.at(path, need="above 0", have=0.0, restores=True, message=message)


def _least_memory(feasibility: Feasibility, index: int) -> int | None:
    """Least memory of one device with which the cluster is found to have a structure; None if none helps."""
    if not _found(feasibility, unlimited=index):
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
        is_enough = _found(dataclasses.replace(feasibility, arrays=other))
        low, high = (low, middle) if is_enough else (middle + 1, high)
    return sizes[low]


def _found(feasibility: Feasibility, unlimited: int | None = None) -> bool:
    """Whether a structure is found; what could not be decided counts as no."""
    try:
        return feasibility.structure(unlimited) is not None
    except UndecidedError:
        return False
