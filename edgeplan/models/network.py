"""The network: nodes with their speeds, memories and links, and measured timings.

Moving n bytes from a to b takes ``latency + 8 n / rate``. A link in `links` holds for its pair;
elsewhere the latency is the sum of both nodes' and the rate the smaller of a's uplink and b's
downlink.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Any

from pydantic import Field

from edgeplan.models.document import NOTE_PREFIX
from edgeplan.models.faults import Fault, Path
from edgeplan.models.fields import ANY_ARRAY, Count, Document, Name, NonNegative, Positive, PositiveCount
from edgeplan.models.raw import items_at, member, number_at, object_at, repeated_values, string_at

Window = Annotated[tuple[NonNegative, NonNegative], ANY_ARRAY]


class Node(Document):
    """One device."""

    id: Name
    """Unique name."""
    flops_per_s: Positive
    """Sustained speed."""
    memory_bytes: PositiveCount
    """Memory budget."""
    type: Name = "node"
    """Kind of device; `timings` are looked up by it."""
    uplink_bit_per_s: Positive | None = None
    """Sending rate; null is unlimited."""
    downlink_bit_per_s: Positive | None = None
    """Receiving rate; null is unlimited."""
    latency_s: NonNegative = 0.0
    """Share of this node in the latency of a transfer."""
    compute_power_w: NonNegative = 0.0
    """Power drawn while computing."""
    transmit_power_w: NonNegative = 0.0
    """Power drawn while sending."""
    price_per_s: NonNegative = 0.0
    """Price of a second in which the node computes, sends or receives."""
    available_s: Annotated[tuple[Window, ...], ANY_ARRAY] | None = None
    """Windows in which it computes, sorted and disjoint; null is always, an empty list never."""
    samples: Count = 0
    """Number of training samples it holds."""
    label_counts: Annotated[tuple[Count, ...], ANY_ARRAY] = ()
    """Training samples by label."""

    @property
    def num_samples(self) -> int:
        """Samples held, from `samples` or else from `label_counts`."""
        return self.samples if "samples" in self.model_fields_set else sum(self.label_counts)


class Link(Document):
    """A directed link that takes the place of its nodes' own rates and latencies."""

    source: Name
    """Id of the sender."""
    target: Name
    """Id of the receiver."""
    bit_per_s: Positive | None = None
    """Rate; null is unlimited."""
    latency_s: NonNegative = 0.0
    """Latency of one transfer."""


class Timing(Document):
    """Measured seconds per sample of one layer on one type of node."""

    forward_s: NonNegative
    """Seconds of the forward pass."""
    backward_s: NonNegative
    """Seconds of the backward pass with the layer trained."""


class Network(Document):
    """Nodes, links and timings."""

    nodes: Annotated[tuple[Node, ...], ANY_ARRAY, Field(min_length=1)]
    """The devices."""
    links: Annotated[tuple[Link, ...], ANY_ARRAY] = ()
    """Pairs with figures of their own; at most one link a pair and direction."""
    timings: dict[Name, dict[Name, Timing]] = Field(default_factory=dict)
    """By node type and layer; a type named here uses these instead of FLOPs."""

    @cached_property
    def index_of(self) -> dict[str, int]:
        """Position of each node in `nodes`, by id."""
        return {node.id: index for index, node in enumerate(self.nodes)}

    @cached_property
    def link_of(self) -> dict[tuple[str, str], Link]:
        """Explicit links by source and target id."""
        return {(link.source, link.target): link for link in self.links}

    def latency_and_rate(self, source: str, target: str) -> tuple[float, float]:
        """Return latency in seconds and rate in bit/s (``inf`` if unlimited) from `source` to `target`."""
        link = self.link_of.get((source, target))
        if link is not None:
            return link.latency_s, math.inf if link.bit_per_s is None else link.bit_per_s
        a, b = self.nodes[self.index_of[source]], self.nodes[self.index_of[target]]
        rates = [rate for rate in (a.uplink_bit_per_s, b.downlink_bit_per_s) if rate is not None]
        return a.latency_s + b.latency_s, min(rates, default=math.inf)

    def transfer_s(self, source: str, target: str, num_bytes: float) -> float:
        """Seconds to move `num_bytes` from `source` to `target`; no bytes still take the latency.

        Examples
        --------
        >>> a = Node(id="a", flops_per_s=1, memory_bytes=1, uplink_bit_per_s=8e6, latency_s=0.5)
        >>> b = Node(id="b", flops_per_s=1, memory_bytes=1, downlink_bit_per_s=4e6)
        >>> Network(nodes=(a, b)).transfer_s("a", "b", 1_000_000)
        2.5
        """
        latency_s, rate = self.latency_and_rate(source, target)
        return latency_s + 8.0 * num_bytes / rate


def network_faults(raw_network: Any, layer_names: list[str | None], path: Path) -> Iterator[Fault]:
    """Yield the faults of a network section that only a look across it shows."""
    nodes = items_at(raw_network, "nodes")
    ids = [string_at(node, "id") for node in nodes]
    for index, name in repeated_values(ids):
        rule = "node id appears earlier; ids must be unique"
        yield Fault((*path, "nodes", index, "id"), rule, name)
    for index, node in enumerate(nodes):
        if isinstance(node, dict) and "available_s" in node:
            yield from _window_faults(node, (*path, "nodes", index))
        if isinstance(node, dict) and "samples" in node and "label_counts" in node:
            yield from _sample_faults(node, (*path, "nodes", index))
        if (string_at(node, "type") or "").startswith(NOTE_PREFIX):
            rule = "must not begin with x-, timings would take it for a note; rename the type"
            yield Fault((*path, "nodes", index, "type"), rule, node["type"])
    yield from _link_faults(items_at(raw_network, "links"), {*ids} if nodes else None, (*path, "links"))
    if layer_names:
        yield from _timing_faults(object_at(raw_network, "timings"), layer_names, (*path, "timings"))


def _window_faults(node: Any, path: Path) -> Iterator[Fault]:
    end_before: float | None = None
    for index, window in enumerate(items_at(node, "available_s")):
        if not isinstance(window, list) or len(window) != 2:
            continue
        start, end = (number_at({"v": value}, "v") for value in window)
        place = (*path, "available_s", index)
        if start is None or end is None:
            continue
        if start >= end:
            yield Fault(place, "must begin before it ends; swap or drop the window", window)
        if end_before is not None and start < end_before:
            yield Fault(
                place, "must begin after the window before it ends; sort and merge the windows", window
            )
        end_before = max(end, end_before or 0.0)


def _sample_faults(node: Any, path: Path) -> Iterator[Fault]:
    samples, counts = number_at(node, "samples"), member(node, "label_counts")
    if samples is None or not isinstance(counts, list):
        return
    if all(isinstance(count, int) and not isinstance(count, bool) for count in counts):
        total = sum(counts)
        if total != samples:
            rule = f"must equal the sum of label_counts, {total}; correct one of them"
            yield Fault((*path, "samples"), rule, samples)


def _link_faults(links: list[Any], ids: set[str | None] | None, path: Path) -> Iterator[Fault]:
    pairs: list[tuple[str, str] | None] = []
    for index, link in enumerate(links):
        ends = {end: string_at(link, end) for end in ("source", "target")}
        for end, name in ends.items():
            if name is not None and ids is not None and name not in ids:
                yield Fault((*path, index, end), "must be a node's id; no node has this id", name)
        source, target = ends["source"], ends["target"]
        if source is not None and source == target:
            yield Fault((*path, index, "target"), "must differ from the source; drop the self-link", target)
        pairs.append(None if source is None or target is None else (source, target))
    for index, pair in repeated_values(pairs):
        yield Fault((*path, index), "link appears earlier; keep one link a pair", list(pair))


def _timing_faults(timings: dict[str, Any], layer_names: list[str | None], path: Path) -> Iterator[Fault]:
    known = {name for name in layer_names if name is not None}
    for node_type, entries in timings.items():
        if not isinstance(entries, dict):
            continue
        for layer in entries:
            if layer not in known:
                rule = "must be a layer of the model; no layer has this name"
                yield Fault((*path, node_type, layer), rule)
        for layer in sorted(known - set(entries)):
            rule = "timing of this layer is missing; a type named here names every layer of the model"
            yield Fault((*path, node_type, layer), rule)
