"""What the specification says of a plan of sparse_update, set by set, in plain floats.

Written from sparse_update.md alone. The structure of a plan is taken to be whole: known names, depths from
0 to L, offered ratios, every device once. A depth that is not allowed brings 0 by itself.
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass
from math import ceil, fsum, inf, log2
from typing import Any, NamedTuple

Document = dict[str, Any]
Group = frozenset[str]  # G, the devices that update a slice


class Slice(NamedTuple):
    """The channels of a layer between two ratios; without ratios, its bias."""

    layer: str
    start: float | None
    stop: float | None


@dataclass(frozen=True)
class Evaluation:
    """The figures of a plan, also where it breaks a rule, and the names of the broken rules."""

    objective: float
    metrics: Document
    broken: frozenset[str]

    @property
    def feasible(self) -> bool:
        return not self.broken


class SparseCase:
    """An instance with the equations of the specification; an entry is what a plan says of one device."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.layers: list[Document] = document["layers"]
        self.layer = {layer["name"]: layer for layer in self.layers}
        self.device = {device["id"]: device for device in document["devices"]}
        self.ids = [device["id"] for device in document["devices"]]  # the device order
        self.depth_contribution: list[float | None] = document["depth_contribution"]

    def reached(self, depth: int) -> list[Document]:
        """The last k layers."""
        return self.layers[len(self.layers) - depth :]

    def options(self, entry: Document) -> list[Document]:
        return [
            option
            for update in entry["updates"]
            for option in self.layer[update["layer"]]["options"]
            if option["ratio"] == update["ratio"]
        ]

    def memory(self, entry: Document) -> int:
        """(1)."""
        biases = sum(layer["bias_bytes"] for layer in self.reached(entry["depth"]))
        weights = sum(option["memory_bytes"] for option in self.options(entry))
        return int(self.document.get("base_bytes", 0) + biases + weights)

    def step_s(self, entry: Document) -> float:
        """(2)."""
        forward = sum(layer["forward_flops"] for layer in self.layers)
        inputs = sum(layer["input_gradient_flops"] for layer in self.reached(entry["depth"])[1:])
        weights = sum(option["weight_gradient_flops"] for option in self.options(entry))
        flops = self.document["training"]["batch_size"] * (forward + inputs + weights)
        return float(flops / self.device[entry["id"]]["flops_per_s"])

    def contribution(self, entry: Document) -> float:
        alone = self.depth_contribution[entry["depth"]] or 0.0
        return fsum([alone, *(option["contribution"] for option in self.options(entry))])

    def parameters(self, part: Slice) -> int:
        """(5) and (7): the parameters of a bias, or the difference between those of two ratios."""
        layer = self.layer[part.layer]
        if part.start is None or part.stop is None:
            return int(layer.get("bias_parameters", 0))
        up_to = {0.0: 0} | {option["ratio"]: option["parameters"] for option in layer["options"]}
        return int(up_to[part.stop] - up_to[part.start])

    def buffer_bytes(self, parts: list[Slice]) -> int:
        """(7): n."""
        return int(self.document["training"]["gradient_bytes"] * sum(map(self.parameters, parts)))

    def link(self, source: str, target: str) -> tuple[float, float]:
        """Latency and rate from one device to another; formats.md, section 3."""
        network = self.document["network"]
        if "nodes" not in network:
            return network["latency_s"], _rate(network.get("bit_per_s"))
        for link in network.get("links", []):
            if (link["source"], link["target"]) == (source, target):
                return link.get("latency_s", 0.0), _rate(link.get("bit_per_s"))
        nodes = {node["id"]: node for node in network["nodes"]}
        a, b = nodes[source], nodes[target]
        rate = min(_rate(a.get("uplink_bit_per_s")), _rate(b.get("downlink_bit_per_s")))
        return a.get("latency_s", 0.0) + b.get("latency_s", 0.0), rate

    def alpha_beta(self, pairs: list[tuple[str, str]]) -> tuple[float, float]:
        """(7): the largest latency, and 8 over the least rate, of the ordered pairs used."""
        links = [self.link(source, target) for source, target in pairs]
        return max(latency for latency, _ in links), 8 / min(rate for _, rate in links)

    def all_reduce_s(self, members: list[str], n: int) -> float:
        """(7)."""
        g = len(members)
        if g < 2:
            return 0.0
        alpha, beta = self.alpha_beta(list(itertools.permutations(members, 2)))
        return 2 * (g - 1) * alpha + 2 * (g - 1) / g * n * beta

    def broadcast_s(self, root: str, receivers: list[str], n: int) -> float:
        """(7)."""
        q = len(receivers)
        if q < 1:
            return 0.0
        alpha, beta = self.alpha_beta([(root, receiver) for receiver in receivers])
        if self.document.get("broadcast", "flat") == "flat":
            return alpha + q * n * beta
        return ceil(log2(q + 1)) * (alpha + n * beta)

    def groups(self, entries: list[Document]) -> dict[Slice, Group]:
        """(5): the slices with parameters that somebody updates, each with its G."""
        groups: dict[Slice, Group] = {}
        for layer in self.layers:
            name, ratios = layer["name"], ratios_of(entries, layer["name"])
            for start, stop in itertools.pairwise([0.0, *sorted(set(ratios.values()))]):
                groups[Slice(name, start, stop)] = frozenset(key for key in ratios if ratios[key] >= stop)
            groups[Slice(name, None, None)] = frozenset(
                entry["id"] for entry in entries if layer in self.reached(entry["depth"])
            )
        return {part: group for part, group in groups.items() if group and self.parameters(part)}


def _rate(bit_per_s: float | None) -> float:
    return inf if bit_per_s is None else bit_per_s


def ratios_of(entries: list[Document], layer: str) -> dict[str, float]:
    """The ratio at which each device that updates the layer does so."""
    return {
        entry["id"]: update["ratio"]
        for entry in entries
        for update in entry["updates"]
        if update["layer"] == layer
    }


def canonical_collectives(document: Document, updates: list[Document]) -> list[Document]:
    """(5) and (6), for the `devices` of a plan: for each buffer the all-reduce, then the broadcast."""
    case = SparseCase(document)
    groups = case.groups(updates)
    buffers = [(group, [part]) for part, group in groups.items()]
    if document.get("fuse", True):
        buffers = [
            (group, [part for part in groups if groups[part] == group])
            for group in dict.fromkeys(groups.values())
        ]
    return [collective for group, parts in buffers for collective in _aggregate(case, group, parts)]


def _aggregate(case: SparseCase, group: Group, parts: list[Slice]) -> list[Document]:
    """(6); the root is the first of G, or with different links the cheapest."""
    inside = [key for key in case.ids if key in group]
    outside = [key for key in case.ids if key not in group]
    n, slices = case.buffer_bytes(parts), [_write(part) for part in parts]
    collectives: list[Document] = []
    if len(inside) >= 2:
        collectives.append({"kind": "all_reduce", "members": inside, "slices": slices})
    if outside:
        root = min(inside, key=lambda member: case.broadcast_s(member, outside, n))
        members = [root, *outside]
        collectives.append({"kind": "broadcast", "root": root, "members": members, "slices": slices})
    return collectives


def _write(part: Slice) -> Document:
    if part.start is None:
        return {"layer": part.layer, "bias": True}
    return {"layer": part.layer, "from": part.start, "to": part.stop}


def _parts(collective: Document) -> list[Slice]:
    return [Slice(part["layer"], part.get("from"), part.get("to")) for part in collective["slices"]]


def _receivers(collective: Document) -> list[str]:
    return [key for key in collective["members"] if key != collective["root"]]


def own_broken(case: SparseCase, entry: Document) -> set[str]:
    """The rules that one device breaks by itself."""
    device, depth = case.device[entry["id"]], entry["depth"]
    ratios = {update["layer"]: update["ratio"] for update in entry["updates"]}
    reached = [layer["name"] for layer in case.reached(depth)]
    pins, forbids = case.document.get("pin", []), case.document.get("forbid", [])
    limit = device.get("max_step_s")
    rules = {
        "memory": case.memory(entry) > device["memory_bytes"],
        "step_time": limit is not None and case.step_s(entry) > limit + 1e-9 * max(1.0, limit),
        "depth": case.depth_contribution[depth] is None,
        "reach": any(name not in reached for name in ratios),
        "pin": any(key == entry["id"] and ratios.get(name, 0) != ratio for key, name, ratio in pins),
        "forbid": any(key == entry["id"] and name in ratios for key, name in forbids),
    }
    return {rule for rule, is_broken in rules.items() if is_broken}


def joint_broken(case: SparseCase, entries: list[Document]) -> set[str]:
    """(3) and (4)."""
    coverage = case.document.get("coverage", {})
    rules = set()
    for name in case.layer:
        ratios = ratios_of(entries, name)
        if len(ratios) < coverage.get("layers", {}).get(name, coverage.get("default", 0)):
            rules.add("coverage")
        for a, b in itertools.permutations(case.ids, 2):
            smaller = case.device[a]["memory_bytes"] < case.device[b]["memory_bytes"]
            if case.document.get("nested", False) and smaller and ratios.get(a, 0) > ratios.get(b, 0):
                rules.add("nested")
    return rules


def _collectives_hold(case: SparseCase, entries: list[Document], listed: list[Document]) -> bool:
    groups = case.groups(entries)
    if not all(_well_formed(groups, collective) for collective in listed):
        return False
    if not all(_slice_arrives(case, part, group, listed) for part, group in groups.items()):
        return False
    if case.document.get("collectives", "canonical") == "free":
        return True
    expected = canonical_collectives(case.document, entries)
    return Counter(map(_shape, listed)) == Counter(map(_shape, expected))


def _well_formed(groups: dict[Slice, Group], collective: Document) -> bool:
    """Two members or more, the root among them, and slices of (5), nothing twice."""
    members, parts = collective["members"], _parts(collective)
    once = len(set(members)) == len(members) and len(set(parts)) == len(parts)
    rooted = collective["kind"] == "all_reduce" or collective["root"] in members
    return once and rooted and len(members) >= 2 and bool(parts) and all(part in groups for part in parts)


def _slice_arrives(case: SparseCase, part: Slice, group: Group, listed: list[Document]) -> bool:
    """The free rules of (7), with (6): what is broadcast has been averaged before."""
    mine = [collective for collective in listed if part in _parts(collective)]
    reduces = [collective for collective in mine if collective["kind"] == "all_reduce"]
    broadcasts = [collective for collective in mine if collective["kind"] == "broadcast"]
    if len(reduces) > 1 or (not reduces and len(group) > 1):
        return False
    members = set(reduces[0]["members"]) if reduces else group
    received = Counter(key for broadcast in broadcasts for key in _receivers(broadcast))
    return (
        group <= members
        and all(broadcast["root"] in members for broadcast in broadcasts)
        and all(received[key] == 1 for key in case.ids if key not in members)
        and mine == [*reduces, *broadcasts]
    )


def _shape(collective: Document) -> tuple[str, Group, frozenset[Slice]]:
    """What (6) leaves no choice in: not the order of members and slices, and not the root."""
    kind = collective["kind"]
    members = collective["members"] if kind == "all_reduce" else _receivers(collective)
    return kind, frozenset(members), frozenset(_parts(collective))


def aggregation_figures(case: SparseCase, listed: list[Document]) -> Document:
    """(7) over the collectives listed."""
    seconds, moved = [], 0
    for collective in listed:
        n, members = case.buffer_bytes(_parts(collective)), collective["members"]
        if collective["kind"] == "all_reduce":
            seconds.append(case.all_reduce_s(members, n))
            moved += 2 * (len(members) - 1) * n
        else:
            receivers = _receivers(collective)
            seconds.append(case.broadcast_s(collective["root"], receivers, n))
            moved += len(receivers) * n
    return {"aggregation_s": fsum(seconds), "bytes_moved": moved, "num_collectives": len(listed)}


def dense(case: SparseCase) -> Document | None:
    """Every device trains every layer at ratio 1, biases too; whatever has no parameters is not sent."""
    offered = all(layer["options"] and layer["options"][-1]["ratio"] == 1 for layer in case.layers)
    if not offered or case.depth_contribution[-1] is None:
        return None
    layers = [[Slice(name, 0.0, 1.0), Slice(name, None, None)] for name in case.layer]
    fused = [part for parts in layers for part in parts]
    return {"per_layer": _dense_figures(case, layers), "fused": _dense_figures(case, [fused])}


def _dense_figures(case: SparseCase, buffers: list[list[Slice]]) -> Document:
    sent = [parts for parts in buffers if sum(map(case.parameters, parts))]
    reduces = [
        {"kind": "all_reduce", "members": case.ids, "slices": [_write(part) for part in parts]}
        for parts in sent
        if len(case.ids) >= 2
    ]
    return aggregation_figures(case, reduces) | {"num_groups": 1 if sent else 0}


def objective(case: SparseCase, entries: list[Document], listed: list[Document]) -> float:
    weights = case.document["objective"]
    gains = [case.device[entry["id"]].get("weight", 1.0) * case.contribution(entry) for entry in entries]
    seconds = aggregation_figures(case, listed)["aggregation_s"]
    return float(weights["contribution"] * fsum(gains) - weights["aggregation_s"] * seconds)


def evaluate(document: Document, plan: Document) -> Evaluation:
    """Judge a plan; one without collectives means the canonical ones."""
    case = SparseCase(document)
    entries = sorted(plan["devices"], key=lambda entry: case.ids.index(entry["id"]))
    listed = plan.get("collectives")
    if listed is None:
        listed = canonical_collectives(document, entries)
    broken = joint_broken(case, entries).union(*(own_broken(case, entry) for entry in entries))
    if not _collectives_hold(case, entries, listed):
        broken.add("collectives")
    devices = [_device_figures(case, entry) for entry in entries]
    metrics = {
        "contribution": fsum(device["contribution"] for device in devices),
        **aggregation_figures(case, listed),
        "num_groups": len(set(case.groups(entries).values())),
        "devices": devices,
        "dense": dense(case),
    }
    return Evaluation(objective(case, entries, listed), metrics, frozenset(broken))


def _device_figures(case: SparseCase, entry: Document) -> Document:
    """`weight` enters the objective only."""
    memory = case.memory(entry)
    return {
        "id": entry["id"],
        "memory_bytes": memory,
        "memory_share": memory / case.device[entry["id"]]["memory_bytes"],
        "step_s": case.step_s(entry),
        "contribution": case.contribution(entry),
    }
