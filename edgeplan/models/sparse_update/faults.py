"""The rules of an instance that look across its members, on the raw document."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from edgeplan.models.document import NOTE_PREFIX
from edgeplan.models.faults import Fault, Path
from edgeplan.models.model import INPUT
from edgeplan.models.network import network_faults
from edgeplan.models.raw import items_at, member, number_at, object_at, repeated_values, string_at

_NEVER_FALL = ("memory_bytes", "parameters", "weight_gradient_flops")


def instance_faults(raw: Any) -> Iterator[Fault]:
    """Yield the faults that show only across members of the raw instance document."""
    layers = [string_at(layer, "name") for layer in items_at(raw, "layers")]
    devices = [string_at(device, "id") for device in items_at(raw, "devices")]
    yield from _name_faults(layers, devices)
    for index, layer in enumerate(items_at(raw, "layers")):
        yield from _option_faults(items_at(layer, "options"), ("layers", index, "options"))
    yield from _depth_faults(raw, len(layers))
    yield from _network_faults(raw, layers, devices)
    yield from _coverage_faults(raw, set(layers))
    yield from _pin_faults(raw, set(layers), set(devices))
    yield from _forbid_faults(raw, set(layers), set(devices))


def _name_faults(layers: list[str | None], devices: list[str | None]) -> Iterator[Fault]:
    for index, name in repeated_values(layers):
        rule = "layer name appears earlier; names must be unique"
        yield Fault(("layers", index, "name"), rule, name)
    for index, name in enumerate(layers):
        if name == INPUT:
            rule = "must not be a layer's name, it stands for the model's input; rename the layer"
            yield Fault(("layers", index, "name"), rule, name)
        elif name is not None and name.startswith(NOTE_PREFIX):
            rule = "must not begin with x-, coverage would take it for a note; rename the layer"
            yield Fault(("layers", index, "name"), rule, name)
    for index, name in repeated_values(devices):
        yield Fault(("devices", index, "id"), "device id appears earlier; ids must be unique", name)


def _option_faults(options: list[Any], path: Path) -> Iterator[Fault]:
    """Ratios rise, and what an option takes does not fall."""
    for k, (before, after) in enumerate(pairwise(options), start=1):
        low, high = number_at(before, "ratio"), number_at(after, "ratio")
        if low is not None and high is not None and high <= low:
            rule = f"must be above {low:g}, the ratio before it; sort the options, each ratio once"
            yield Fault((*path, k, "ratio"), rule, high)
        for name in _NEVER_FALL:
            low, high = number_at(before, name), number_at(after, name)
            if low is not None and high is not None and high < low:
                rule = f"must be at least {low:g}, that of the smaller ratio; correct one of them"
                yield Fault((*path, k, name), rule, high)


def _depth_faults(raw: Any, num_layers: int) -> Iterator[Fault]:
    depths = member(raw, "depth_contribution")
    if isinstance(depths, list) and num_layers and len(depths) != num_layers + 1:
        rule = f"must have {num_layers + 1} entries, one for each depth from 0, and has {len(depths)}"
        yield Fault(("depth_contribution",), f"{rule}; add or drop some")


def _network_faults(raw: Any, layers: list[str | None], devices: list[str | None]) -> Iterator[Fault]:
    network = member(raw, "network")
    if not isinstance(network, dict) or "nodes" not in network:
        return
    yield from network_faults(network, layers, ("network",))
    nodes = [string_at(node, "id") for node in items_at(network, "nodes")]
    known_devices, known_nodes = set(devices), set(nodes)
    for index, name in enumerate(nodes):
        if name is not None and devices and name not in known_devices:
            rule = "must be a device's id; no device has this id"
            yield Fault(("network", "nodes", index, "id"), rule, name)
    for index, name in enumerate(devices):
        if name is not None and nodes and name not in known_nodes:
            rule = "must be a node of the network; add the node, or drop the device"
            yield Fault(("devices", index, "id"), rule, name)


def _coverage_faults(raw: Any, layers: set[str | None]) -> Iterator[Fault]:
    for name, value in object_at(raw, "coverage", "layers").items():
        if layers and name not in layers:
            rule = "must be a layer's name; no layer has this name"
            yield Fault(("coverage", "layers", name), rule, value)


def _pin_faults(raw: Any, layers: set[str | None], devices: set[str | None]) -> Iterator[Fault]:
    pairs: list[tuple[str, str] | None] = []
    offers = {string_at(layer, "name"): _ratios_of(layer) for layer in items_at(raw, "layers")}
    for index, pin in enumerate(items_at(raw, "pin")):
        if not (isinstance(pin, list) and len(pin) == 3):
            pairs.append(None)
            continue
        device, layer, ratio = pin
        yield from _unknown(device, devices, "device", ("pin", index, 0))
        yield from _unknown(layer, layers, "layer", ("pin", index, 1))
        pairs.append((device, layer) if isinstance(device, str) and isinstance(layer, str) else None)
        offered = offers.get(layer) if isinstance(layer, str) else None
        number = number_at({"v": ratio}, "v")
        if offered is not None and number is not None and 0 < number <= 1 and number not in offered:
            known = ", ".join(f"{known:g}" for known in sorted(offered)) or "none"
            rule = f"must be 0 or a ratio that the layer offers, {known}; name one of them"
            yield Fault(("pin", index, 2), rule, ratio)
    for index, pair in repeated_values(pairs):
        yield Fault(("pin", index), "device and layer are pinned earlier; keep one pin", list(pair))


def _ratios_of(layer: Any) -> set[float]:
    ratios = (number_at(option, "ratio") for option in items_at(layer, "options"))
    return {ratio for ratio in ratios if ratio is not None}


def _forbid_faults(raw: Any, layers: set[str | None], devices: set[str | None]) -> Iterator[Fault]:
    for index, pair in enumerate(items_at(raw, "forbid")):
        if isinstance(pair, list) and len(pair) == 2:
            yield from _unknown(pair[0], devices, "device", ("forbid", index, 0))
            yield from _unknown(pair[1], layers, "layer", ("forbid", index, 1))


def _unknown(name: Any, known: set[str | None], what: str, path: Path) -> Iterator[Fault]:
    if isinstance(name, str) and known and name not in known:
        yield Fault(path, f"must be the name of a {what}; no {what} has it", name)
