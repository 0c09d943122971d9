"""An instance of layer_assignment with its names resolved, and what both schedules take from it.

Written from formats.md and layer_assignment.md alone. Numbers are taken as the decimals that were
written; everything is exact.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache
from typing import Any

Document = dict[str, Any]
Run = tuple[int, ...]
Stage = tuple[int, Run]

TOLERANCE = Fraction(1, 10**9)
NO_LIMITS: Document = {
    "min_nodes": 1,
    "max_nodes": None,
    "max_layers_per_node": None,
    "min_samples": 0,
    "deadline_s": None,
    "budget_price": None,
    "budget_energy_j": None,
}


def exact(number: float) -> Fraction:
    return Fraction(number) if isinstance(number, int) else Fraction(repr(number))


def within(value: Fraction, limit: Fraction) -> bool:
    return value <= limit + TOLERANCE * max(Fraction(1), limit)


class Case:
    """The layers and nodes of an instance; a schedule adds its equations.

    `rest` are the layers that are handed out, `workers` the nodes that may serve a stage.
    """

    server: int | None = None

    def __init__(self, document: Document) -> None:
        self.document = document
        self.training: Document = document["training"]
        self.layers: list[Document] = document["model"]["layers"]
        self.nodes: list[Document] = document["network"]["nodes"]
        self.limits: Document = NO_LIMITS | document.get("limits", {})
        self.weights: Document = document.get("objective", {"time_s": 1.0})
        self.pin: Document = document.get("pin", {})
        self.forbid = {tuple(pair) for pair in document.get("forbid", [])}
        self.given_order = document.get("node_order", "free") == "given"
        self.layer_of = {layer["name"]: index for index, layer in enumerate(self.layers)}
        self.node_of = {node["id"]: index for index, node in enumerate(self.nodes)}
        self.links = {(link["source"], link["target"]): link for link in document["network"].get("links", [])}
        self.rest = [*range(len(self.layers))]
        self.workers = [*range(len(self.nodes))]
        self.weight_bytes = exact(self.training["weight_bytes"])
        self.reserve_bytes: int = self.training.get("reserve_bytes", 0)
        self.move = lru_cache(None)(self._move)

    def memory_of(self, stages: list[Stage], k: int) -> Fraction:
        """Bytes that stage k of a plan needs, counted from 0."""
        raise NotImplementedError

    def metrics(self, stages: list[Stage]) -> Document:
        """What a plan costs."""
        raise NotImplementedError

    def stages_of(self, plan: Document) -> list[Stage]:
        """Read a plan that knows only nodes and layers of the instance."""
        return [
            (self.node_of[stage["node"]], tuple(self.layer_of[name] for name in stage["layers"]))
            for stage in plan["stages"]
        ]

    def as_plan(self, stages: list[Stage]) -> Document:
        """Write stages as a plan document."""
        return {
            "stages": [
                {"node": self.nodes[node]["id"], "layers": [self.layers[index]["name"] for index in run]}
                for node, run in stages
            ]
        }

    def total(self, field: str, layers: Iterable[int]) -> Fraction:
        return sum((exact(self.layers[index][field]) for index in layers), Fraction(0))

    def largest_output(self, layers: Iterable[int]) -> int:
        """Bytes of a sample's largest tensor behind one of the layers."""
        largest: int = max(self.layers[index]["output_bytes"] for index in layers)
        return largest

    def state_bytes(self) -> Fraction:
        """Bytes of a parameter that is trained."""
        parts = ("weight_bytes", "gradient_bytes", "optimizer_bytes")
        return sum((exact(self.training[part]) for part in parts), Fraction(0))

    def timings(self, node: int) -> list[Document] | None:
        """Measured seconds of each layer on a node, None where its FLOPs count."""
        measured = self.document["network"].get("timings", {}).get(self.nodes[node].get("type"))
        return None if measured is None else [measured[layer["name"]] for layer in self.layers]

    def _move(self, source: int, target: int, num_bytes: Fraction) -> Fraction:
        """Seconds of a transfer, formats.md section 3."""
        a, b = self.nodes[source], self.nodes[target]
        link = self.links.get((a["id"], b["id"]))
        if link is not None:
            latency, rate = exact(link.get("latency_s", 0)), link.get("bit_per_s")
        else:
            latency = exact(a.get("latency_s", 0)) + exact(b.get("latency_s", 0))
            rates = (a.get("uplink_bit_per_s"), b.get("downlink_bit_per_s"))
            rate = min((rate for rate in rates if rate is not None), default=None)
        return latency if rate is None else latency + 8 * num_bytes / exact(rate)

    def samples(self, node: int) -> int:
        given = self.nodes[node].get("samples")
        return sum(self.nodes[node].get("label_counts", [])) if given is None else given

    def figure(self, node: int, field: str) -> Fraction:
        return exact(self.nodes[node].get(field, 0))
