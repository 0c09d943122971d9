"""Every way in which a plan can break the rules, by name and slot.

Pointers lead to the limit in the instance where a limit is broken
(``/clusters/0/devices/1/memory_bytes``), and to the plan where the plan itself is no schedule.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from edgeplan.models.faults import Path
from edgeplan.models.numbers import exceeds
from edgeplan.models.raw import repeated_values
from edgeplan.models.segment_scheduling.cluster_cost import ClusterCost, bits_flow
from edgeplan.models.segment_scheduling.instance import Cluster, SegmentSchedulingInstance
from edgeplan.models.segment_scheduling.plan import ClusterPlan, SegmentPlan, SlotPlan, StagePlan
from edgeplan.models.segment_scheduling.segments import Segments
from edgeplan.models.segment_scheduling.slot_cost import SlotCost
from edgeplan.models.violation import Violation


def structure_violations(segments: Segments, plan: SegmentPlan) -> Iterator[Violation]:
    """Yield what keeps the plan from being costed at all."""
    need, have = segments.instance.control.slots, len(plan.slots)
    if need != have:
        message = f"the plan has {have} slots, the horizon {need}"
        yield Violation.at("slots", ("plan", "slots"), message, need=need, have=have)
    if plan.slot_bounds and len(plan.slot_bounds) != have:
        message = f"the plan has {len(plan.slot_bounds)} slot bounds for {have} slots"
        place: Path = ("plan", "slot_bounds")
        yield Violation.at("slot_bounds", place, message, need=have, have=len(plan.slot_bounds))
    for t, slot in enumerate(plan.slots):
        yield from _slot_structure(segments, slot, ("plan", "slots", t))


def _slot_structure(segments: Segments, slot: SlotPlan, place: Path) -> Iterator[Violation]:
    clusters = {cluster.id: cluster for cluster in segments.instance.clusters}
    place = (*place, "clusters")
    for index, name in repeated_values(entry.id for entry in slot.clusters):
        message = f"cluster {name} appears more than once in the slot"
        yield Violation.at("clusters", (*place, index, "id"), message, need=1, have=2)
    given = {entry.id for entry in slot.clusters}
    for name in (name for name in clusters if name not in given):
        yield Violation.at("clusters", place, f"cluster {name} is missing", need=name, have=None)
    for index, entry in enumerate(slot.clusters):
        cluster = clusters.get(entry.id)
        if cluster is None:
            message = f"the instance has no cluster {entry.id}"
            yield Violation.at("clusters", (*place, index, "id"), message, need=None, have=entry.id)
        elif not entry.skipped:
            yield from _cluster_structure(segments, cluster, entry, (*place, index))


def _cluster_structure(
    segments: Segments, cluster: Cluster, entry: ClusterPlan, place: Path
) -> Iterator[Violation]:
    if entry.micro_batches is None:
        message = f"cluster {cluster.id} has no number of micro-batches"
        yield Violation.at("micro_batches", (*place, "micro_batches"), message, need=1, have=None)
    known = {device.id for device in cluster.devices}
    for k, stage in enumerate(entry.stages):
        if stage.device not in known:
            message = f"cluster {cluster.id} has no device {stage.device}"
            path = (*place, "stages", k, "device")
            yield Violation.at("unknown_device", path, message, need=None, have=stage.device)
        if not stage.layers:
            message = f"stage {k} on {stage.device} holds no block"
            yield Violation.at("stages", (*place, "stages", k, "layers"), message, need=1, have=0)
    given = [name for stage in entry.stages for name in stage.layers]
    blocks = [block.name for block in segments.instance.model.layers]
    if given != blocks:
        message, need, have = _difference(blocks, given)
        yield Violation.at("coverage", (*place, "stages"), message, need=need, have=have)
    else:
        yield from _sending(segments, entry, place)


def _difference(blocks: list[str], given: list[str]) -> tuple[str, str | None, str | None]:
    """Where the stages' blocks, one stage after another, first differ from the encoder's."""
    for index in range(max(len(blocks), len(given))):
        need = blocks[index] if index < len(blocks) else None
        have = given[index] if index < len(given) else None
        if need != have:
            break
    return f"the stages' blocks are not the encoder's in order: {have} stands where {need} must", need, have


def _sending(segments: Segments, entry: ClusterPlan, place: Path) -> Iterator[Violation]:  # (7)
    """Bits need a band and power above 0."""
    for k, stage in enumerate(entry.stages[:-1]):
        if bits_flow(segments, entry.stages, k) and not (stage.bandwidth_hz and stage.power_w):
            yield _silent((*place, "stages", k), f"stage {k} of cluster {entry.id}", stage)
    uplink = entry.uplink
    if segments.uploads and not (uplink and uplink.bandwidth_hz and uplink.power_w):
        message = f"the control unit of cluster {entry.id} has bits to send and no band or power above 0"
        yield Violation.at("sending", (*place, "uplink"), message, need="above 0", have=None)


def _silent(place: Path, who: str, stage: StagePlan) -> Violation:
    member = "bandwidth_hz" if not stage.bandwidth_hz else "power_w"
    have = getattr(stage, member)
    message = f"{who} has bits to send and no {member} above 0"
    return Violation.at("sending", (*place, member), message, need="above 0", have=have)


def limit_violations(segments: Segments, plan: SegmentPlan, costs: list[SlotCost]) -> Iterator[Violation]:
    """Yield the broken limits of a plan whose structure is whole."""
    instance = segments.instance
    for t, (slot, cost) in enumerate(zip(plan.slots, costs, strict=True)):
        position = {entry.id: index for index, entry in enumerate(slot.clusters)}
        yield from _uplink_band(segments, slot, t)
        for n, cluster in enumerate(instance.clusters):
            entry = slot.clusters[position[cluster.id]]
            place: Path = ("plan", "slots", t, "clusters", position[cluster.id])
            if entry.skipped:
                message = f"cluster {cluster.id} is skipped in slot {t} though all its devices are there"
                yield Violation.at("skipped", (*place, "skipped"), message, need=None, have=None)
                continue
            yield from _order(cluster, entry, place)
            yield from _micro_batches(instance, entry, t)
            yield from _memory(cluster, cost.clusters[n], n, t)
            yield from _bands_and_powers(segments, cluster, entry, n, t)


def _order(cluster: Cluster, entry: ClusterPlan, place: Path) -> Iterator[Violation]:
    position = {device.id: index for index, device in enumerate(cluster.devices)}
    for k, name in repeated_values(stage.device for stage in entry.stages):
        message = f"device {name} of cluster {cluster.id} serves more than one stage"
        yield Violation.at("device_once", (*place, "stages", k, "device"), message, need=2, have=1)
    if cluster.node_order == "given":
        for k, (before, after) in enumerate(pairwise(entry.stages), start=1):
            if position[after.device] < position[before.device]:
                message = f"device {after.device} follows {before.device}, against the given order"
                path = (*place, "stages", k, "device")
                yield Violation.at("node_order", path, message, need=before.device, have=after.device)


def _micro_batches(instance: SegmentSchedulingInstance, entry: ClusterPlan, t: int) -> Iterator[Violation]:
    most, have = instance.training.max_micro_batches, entry.micro_batches
    assert have is not None
    if have > most:
        message = f"cluster {entry.id} has {have} micro-batches in slot {t}, at most {most} are allowed"
        path = ("training", "max_micro_batches")
        yield Violation.at("micro_batches", path, message, need=have, have=most)


def _memory(cluster: Cluster, cost: ClusterCost, n: int, t: int) -> Iterator[Violation]:  # (6)
    for stage in cost.stages:
        device = cluster.devices[stage.device]
        if stage.memory_bytes > device.memory_bytes:
            message = (
                f"device {device.id} needs {stage.memory_bytes} bytes in slot {t} and has "
                f"{device.memory_bytes}, {stage.memory_bytes - device.memory_bytes} too few"
            )
            path: Path = ("clusters", n, "devices", stage.device, "memory_bytes")
            yield Violation.at("memory", path, message, need=stage.memory_bytes, have=device.memory_bytes)


def _bands_and_powers(
    segments: Segments, cluster: Cluster, entry: ClusterPlan, n: int, t: int
) -> Iterator[Violation]:  # (7)
    index_of = {device.id: index for index, device in enumerate(cluster.devices)}
    band_hz = 0.0
    for k, stage in enumerate(entry.stages[:-1]):
        if not bits_flow(segments, entry.stages, k):
            continue
        band_hz += stage.bandwidth_hz or 0.0
        index = index_of[stage.device]
        limit_w, power_w = cluster.devices[index].max_power_w, stage.power_w or 0.0
        if exceeds(power_w, limit_w):
            message = f"device {stage.device} sends at {power_w:.9g} W in slot {t}, at most {limit_w:.9g} W"
            path: Path = ("clusters", n, "devices", index, "max_power_w")
            yield Violation.at("power", path, message, need=power_w, have=limit_w)
    if exceeds(band_hz, cluster.d2d_bandwidth_hz):
        limit_hz = cluster.d2d_bandwidth_hz
        message = (
            f"the hops of cluster {cluster.id} take {band_hz:.9g} Hz in slot {t}, at most {limit_hz:.9g} Hz"
        )
        path = ("clusters", n, "d2d_bandwidth_hz")
        yield Violation.at("d2d_band", path, message, need=band_hz, have=limit_hz)
    limit_w = cluster.uplink_max_power_w
    if segments.uploads and entry.uplink is not None and exceeds(entry.uplink.power_w, limit_w):
        power_w = entry.uplink.power_w
        message = f"cluster {cluster.id} uploads at {power_w:.9g} W in slot {t}, at most {limit_w:.9g} W"
        path = ("clusters", n, "uplink_max_power_w")
        yield Violation.at("uplink_power", path, message, need=power_w, have=limit_w)


def _uplink_band(segments: Segments, slot: SlotPlan, t: int) -> Iterator[Violation]:  # (7)
    if not segments.uploads:
        return
    band_hz = sum(entry.uplink.bandwidth_hz for entry in slot.clusters if entry.uplink is not None)
    limit_hz = segments.instance.uplink_bandwidth_hz
    if exceeds(band_hz, limit_hz):
        message = f"the uplinks take {band_hz:.9g} Hz in slot {t}, at most {limit_hz:.9g} Hz"
        yield Violation.at("uplink_band", ("uplink_bandwidth_hz",), message, need=band_hz, have=limit_hz)
