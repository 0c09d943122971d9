"""Every way in which a plan can break rules (1) to (4), pins and depths; (5) to (8) have their own file.

Pointers lead to the limit in the instance where a limit is broken (``/devices/3/memory_bytes``), and to the
plan where the plan itself is broken.
"""

from __future__ import annotations

from collections.abc import Iterator

from edgeplan.models.faults import Path
from edgeplan.models.numbers import exceeds
from edgeplan.models.raw import repeated_values
from edgeplan.models.sparse_update.collective_violations import collective_violations
from edgeplan.models.sparse_update.instance import SparseUpdateInstance
from edgeplan.models.sparse_update.plan import Collective, DevicePlan, SparsePlan
from edgeplan.models.sparse_update.plan_cost import PlanCost
from edgeplan.models.violation import Violation


def structure_violations(instance: SparseUpdateInstance, plan: SparsePlan) -> Iterator[Violation]:
    """Yield what keeps the plan from being costed at all."""
    place: Path = ("plan", "devices")
    for index, name in repeated_values(device.id for device in plan.devices):
        message = f"device {name} appears more than once"
        yield Violation.at("devices", (*place, index, "id"), message, need=1, have=2)
    given = {device.id for device in plan.devices}
    for device in instance.devices:
        if device.id not in given:
            message = f"device {device.id} is missing"
            yield Violation.at("devices", place, message, need=device.id, have=None)
    for index, entry in enumerate(plan.devices):
        if entry.id not in instance.device_index:
            message = f"the instance has no device {entry.id}"
            yield Violation.at("devices", (*place, index, "id"), message, need=None, have=entry.id)
        yield from _update_structure(instance, entry, (*place, index))
    for index, collective in enumerate(plan.collectives or ()):
        yield from _collective_structure(instance, collective, ("plan", "collectives", index))


def _update_structure(instance: SparseUpdateInstance, entry: DevicePlan, place: Path) -> Iterator[Violation]:
    num_layers = len(instance.layers)
    if entry.depth > num_layers:
        message = f"device {entry.id} reaches {entry.depth} layers of {num_layers}"
        yield Violation.at("depth", (*place, "depth"), message, need=entry.depth, have=num_layers)
    for k, name in repeated_values(update.layer for update in entry.updates):
        message = f"device {entry.id} updates layer {name} more than once"
        yield Violation.at("one_option", (*place, "updates", k, "layer"), message, need=2, have=1)
    for k, update in enumerate(entry.updates):
        index = instance.layer_index.get(update.layer)
        if index is None:
            message = f"the instance has no layer {update.layer}"
            path = (*place, "updates", k, "layer")
            yield Violation.at("unknown_layer", path, message, need=None, have=update.layer)
        elif update.ratio not in instance.layers[index].option_of:
            message = f"layer {update.layer} does not offer ratio {update.ratio:g}"
            path = (*place, "updates", k, "ratio")
            yield Violation.at("unknown_ratio", path, message, need=None, have=update.ratio)


def _collective_structure(
    instance: SparseUpdateInstance, collective: Collective, place: Path
) -> Iterator[Violation]:
    members = collective.members
    if not members:
        message = "the collective has no member"
        yield Violation.at("members", (*place, "members"), message, need=1, have=0)
    for k, name in enumerate(members):
        if name not in instance.device_index:
            message = f"the instance has no device {name}"
            yield Violation.at("members", (*place, "members", k), message, need=None, have=name)
    for k, name in repeated_values(members):
        message = f"device {name} is a member more than once"
        yield Violation.at("members", (*place, "members", k), message, need=1, have=2)
    if collective.kind == "broadcast" and collective.root not in members:
        message = "the root of a broadcast must be one of its members"
        yield Violation.at("root", (*place, "root"), message, need="a member", have=collective.root)
    if collective.kind == "all_reduce" and collective.root is not None:
        message = "an all-reduce has no root"
        yield Violation.at("root", (*place, "root"), message, need=None, have=collective.root)
    for k, part in enumerate(collective.slices):
        if part.bias in (part.from_ is not None, part.to is not None):
            message = "a slice is a bias, or has from and to"
            yield Violation.at("slices", (*place, "slices", k), message, need=None, have=None)


def limit_violations(cost: PlanCost, plan: SparsePlan) -> Iterator[Violation]:
    """Yield the broken limits of a plan whose structure is whole."""
    instance = cost.instance
    index_of = {device.id: index for index, device in enumerate(plan.devices)}
    for entry in cost.devices:
        yield from _depth_and_reach(instance, entry, ("plan", "devices", index_of[entry.id]))
    yield from _memory(cost)
    yield from _step_time(cost)
    yield from _coverage(cost)
    if instance.nested:
        yield from _nested(cost)
    yield from _pins(cost)
    if cost.listed is not None:
        yield from collective_violations(instance, cost.updated, cost.listed)


def _depth_and_reach(instance: SparseUpdateInstance, entry: DevicePlan, place: Path) -> Iterator[Violation]:
    if instance.depth_contribution[entry.depth] is None:
        message = f"depth {entry.depth} of device {entry.id} is not allowed"
        path: Path = ("depth_contribution", entry.depth)
        yield Violation.at("depth", path, message, need=entry.depth, have=None)
    first = len(instance.layers) - entry.depth
    for k, update in enumerate(entry.updates):
        index = instance.layer_index[update.layer]
        if index < first:
            need = len(instance.layers) - index
            message = (
                f"device {entry.id} updates layer {update.layer}, which depth {entry.depth} does not reach"
            )
            yield Violation.at("reach", (*place, "updates", k), message, need=need, have=entry.depth)


def _memory(cost: PlanCost) -> Iterator[Violation]:  # (1)
    for d, (device, own) in enumerate(zip(cost.instance.devices, cost.device_costs, strict=True)):
        if own.memory_bytes > device.memory_bytes:
            lacking = own.memory_bytes - device.memory_bytes
            message = (
                f"device {device.id} needs {own.memory_bytes} bytes and has {device.memory_bytes}, "
                f"{lacking} too few"
            )
            path: Path = ("devices", d, "memory_bytes")
            yield Violation.at("memory", path, message, need=own.memory_bytes, have=device.memory_bytes)


def _step_time(cost: PlanCost) -> Iterator[Violation]:  # (2)
    for d, (device, own) in enumerate(zip(cost.instance.devices, cost.device_costs, strict=True)):
        limit_s = device.max_step_s
        if limit_s is not None and exceeds(own.step_s, limit_s):
            message = f"a step of device {device.id} takes {own.step_s:.9g} s, at most {limit_s:.9g} s"
            path: Path = ("devices", d, "max_step_s")
            yield Violation.at("step_time", path, message, need=own.step_s, have=limit_s)


def _coverage(cost: PlanCost) -> Iterator[Violation]:  # (3)
    coverage = cost.instance.coverage
    count = dict.fromkeys(cost.instance.layer_index, 0)
    for entry in cost.devices:
        for update in entry.updates:
            count[update.layer] += 1
    for name, have in count.items():
        need = coverage.layers.get(name, coverage.default)
        if have < need:
            path: Path = ("coverage", "layers", name) if name in coverage.layers else ("coverage", "default")
            message = f"layer {name} is updated by {have} devices, at least {need} must"
            yield Violation.at("coverage", path, message, need=need, have=have)


def _nested(cost: PlanCost) -> Iterator[Violation]:  # (4)
    """What the devices of one memory update at most, those of every larger memory update at least."""
    devices = cost.instance.devices
    ratios = [{update.layer: update.ratio for update in entry.updates} for entry in cost.devices]
    below: dict[str, tuple[float, str]] = {}
    by_memory: dict[int, list[int]] = {}
    for d, device in enumerate(devices):
        by_memory.setdefault(device.memory_bytes, []).append(d)
    for _, members in sorted(by_memory.items()):
        for d in members:
            for layer, (ratio, smaller) in below.items():
                have = ratios[d].get(layer, 0.0)
                if have < ratio:
                    message = (
                        f"device {devices[d].id} updates {have:g} of layer {layer}, device {smaller} with "
                        f"less memory {ratio:g}"
                    )
                    yield Violation.at("nested", ("nested",), message, need=ratio, have=have)
        for d in members:
            for layer, ratio in ratios[d].items():
                if ratio > below.get(layer, (0.0, ""))[0]:
                    below[layer] = ratio, devices[d].id


def _pins(cost: PlanCost) -> Iterator[Violation]:
    instance = cost.instance
    named = {pin[0] for pin in instance.pin} | {pair[0] for pair in instance.forbid}
    ratios = {
        entry.id: {update.layer: update.ratio for update in entry.updates}
        for entry in cost.devices
        if entry.id in named
    }
    for index, (device, layer, ratio) in enumerate(instance.pin):
        have = ratios[device].get(layer, 0.0)
        if have != ratio:
            message = f"device {device} updates {have:g} of layer {layer}, pinned to {ratio:g}"
            yield Violation.at("pin", ("pin", index), message, need=ratio, have=have)
    for index, (device, layer) in enumerate(instance.forbid):
        if layer in ratios[device]:
            message = f"device {device} updates layer {layer}, which it must not"
            yield Violation.at("forbid", ("forbid", index), message, need=0, have=ratios[device][layer])
