"""What the specification says of a serial plan, in exact fractions, and the best plan by trying all.

Written from formats.md and layer_assignment.md alone. Numbers are taken as the decimals that were
written. Metrics show bytes rounded up to whole ones; times come from the exact figures.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import ceil
from typing import Any

Document = dict[str, Any]
Run = tuple[int, ...]
Stage = tuple[int, Run]

TOLERANCE = Fraction(1, 10**9)
TERMS = ("time_s", "energy_j", "price", "bottleneck_s")
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


@dataclass(frozen=True)
class Verdict:
    """Names of the broken rules; metrics are None where the plan is no assignment at all."""

    rules: tuple[str, ...]
    objective: Fraction | None = None
    metrics: Document | None = None

    @property
    def feasible(self) -> bool:
        return not self.rules


class Case:
    """An instance document with names resolved and the equations of one stage."""

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
        by_server = document.get("transport", "peer") == "server"
        self.server: int | None = self.node_of[document["server"]] if by_server else None
        self.shared = {self.layer_of[name] for name in document.get("shared_layers", [])}
        self.trained_shared = self.shared if document.get("train_shared", True) else set()
        self.rest = [index for index in range(len(self.layers)) if index not in self.shared]
        self.workers = [index for index in range(len(self.nodes)) if index != self.server]
        self.steps = document["training"].get("local_steps", 1) * document["training"]["batch_size"]
        self.weight_bytes = exact(self.training["weight_bytes"])
        self.memory = lru_cache(None)(self._memory)
        self.compute = lru_cache(None)(self._compute)
        self.move = lru_cache(None)(self._move)

    def total(self, field: str, layers: Any) -> Fraction:
        return sum((exact(self.layers[index][field]) for index in layers), Fraction(0))

    def trained(self, run: Run) -> list[int]:
        return sorted({*run} | self.trained_shared)

    def behind(self, run: Run) -> range:
        """Layers after d, the first trained one."""
        return range(self.trained(run)[0] + 1, len(self.layers))

    def _memory(self, run: Run) -> Fraction:
        """Equation (4)."""
        trained = self.trained(run)
        others = [index for index in range(len(self.layers)) if index not in trained]
        passed = [index for index in self.behind(run) if index not in trained]
        largest = max(layer["output_bytes"] for layer in self.layers)
        state = self.weight_bytes + sum(
            exact(self.training[part]) for part in ("gradient_bytes", "optimizer_bytes")
        )
        frozen = exact(self.training.get("frozen_weight_bytes", self.training["weight_bytes"]))
        saved = self.total("saved_bytes", trained) + self.total("saved_frozen_bytes", passed)
        return (
            self.training.get("reserve_bytes", 0)
            + frozen * self.total("parameters", others)
            + state * self.total("parameters", trained)
            + self.training["batch_size"] * (saved + 2 * largest)
        )

    def _compute(self, node: int, run: Run) -> Fraction:
        """Equation (5)."""
        timings = self.document["network"].get("timings", {}).get(self.nodes[node].get("type"))
        if timings is not None:
            return self.steps * self._measured(timings, run)
        flops = (
            self.total("forward_flops", range(len(self.layers)))
            + self.total("input_gradient_flops", self.behind(run))
            + self.total("weight_gradient_flops", self.trained(run))
        )
        return self.steps * flops / exact(self.nodes[node]["flops_per_s"])

    def _measured(self, timings: Document, run: Run) -> Fraction:
        entries = [timings[layer["name"]] for layer in self.layers]
        trained = self.trained(run)
        passed = [index for index in self.behind(run) if index not in trained]
        return (
            sum((exact(entry["forward_s"]) for entry in entries), Fraction(0))
            + sum((exact(entries[index]["backward_s"]) for index in trained), Fraction(0))
            + sum((exact(entries[index]["backward_s"]) for index in passed), Fraction(0)) / 2
        )

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

    def update(self, run: Run) -> Fraction:
        """D of equation (6)."""
        changed = [index for index in self.rest if index not in run]
        return self.weight_bytes * self.total("parameters", [*changed, *self.trained_shared])

    def begin(self, node: int, ready: Fraction, compute: Fraction) -> Fraction | None:
        """Equation (7): the earliest start inside one window."""
        windows = self.nodes[node].get("available_s")
        if windows is None:
            return ready
        starts = ((max(ready, exact(start)), exact(end)) for start, end in windows)
        return next((start for start, end in starts if within(start + compute, end)), None)

    def samples(self, node: int) -> int:
        given = self.nodes[node].get("samples")
        return sum(self.nodes[node].get("label_counts", [])) if given is None else given

    def figure(self, node: int, field: str) -> Fraction:
        return exact(self.nodes[node].get(field, 0))


def evaluate(document: Document, plan: Document, case: Case | None = None) -> Verdict:
    """Judge a plan."""
    case = case or Case(document)
    rules = list(_structure(case, plan["stages"]))
    if rules:
        return Verdict(tuple(rules))
    stages = [
        (case.node_of[stage["node"]], tuple(case.layer_of[name] for name in stage["layers"]))
        for stage in plan["stages"]
    ]
    metrics = _metrics(case, stages)
    rules = [*_assignment(case, stages), *_limits(case, stages, metrics)]
    terms = [(exact(weight), metrics[term]) for term, weight in case.weights.items() if weight]
    known = all(value is not None for _, value in terms)
    objective = sum((weight * value for weight, value in terms), Fraction(0)) if known else None
    return Verdict(tuple(rules), objective, metrics)


def _structure(case: Case, stages: list[Document]) -> Iterator[str]:
    """Rule (1)."""
    names = [name for stage in stages for name in stage["layers"]]
    if not stages or not all(stage["layers"] for stage in stages):
        yield "stages"
    if any(stage["node"] not in case.node_of for stage in stages):
        yield "unknown_node"
    if any(name not in case.layer_of for name in names):
        yield "unknown_layer"
    elif [case.layer_of[name] for name in names] != case.rest:
        yield "coverage"


def _assignment(case: Case, stages: list[Stage]) -> Iterator[str]:
    """Rules (2) and (3) but for the limits."""
    used = [node for node, _ in stages]
    if len(set(used)) < len(used):
        yield "node_once"
    if case.server in used:
        yield "server"
    if case.given_order and used != sorted(used):
        yield "node_order"
    owner = {case.layers[index]["name"]: case.nodes[node]["id"] for node, run in stages for index in run}
    if any(owner[layer] != node for layer, node in case.pin.items()):
        yield "pin"
    if case.forbid & {*owner.items()}:
        yield "forbid"


def _limits(case: Case, stages: list[Stage], metrics: Document) -> Iterator[str]:
    """Memory, windows and the limits of the whole plan."""
    limits = case.limits
    used = {node for node, _ in stages}
    if any(case.memory(run) > case.nodes[node]["memory_bytes"] for node, run in stages):
        yield "memory"
    if metrics["time_s"] is None:
        yield "window"
    if len(used) < limits["min_nodes"]:
        yield "min_nodes"
    if limits["max_nodes"] is not None and len(used) > limits["max_nodes"]:
        yield "max_nodes"
    most = limits["max_layers_per_node"]
    if most is not None and any(len(run) > most for _, run in stages):
        yield "max_layers_per_node"
    if sum(case.samples(node) for node in used) < limits["min_samples"]:
        yield "min_samples"
    for rule, term in (("deadline_s", "time_s"), ("budget_price", "price"), ("budget_energy_j", "energy_j")):
        value, limit = metrics[term], limits[rule]
        if None not in (value, limit) and not within(value, exact(limit)):
            yield rule


def _metrics(case: Case, stages: list[Stage]) -> Document:
    shown = []
    now: Fraction | None = Fraction(0)
    energy = price = Fraction(0)
    for k, (node, run) in enumerate(stages):
        compute = case.compute(node, run)
        into, out = _transfers(case, stages, k)
        into_s, out_s = (case.move(*transfer) if transfer else Fraction(0) for transfer in (into, out))
        begin = None if now is None else case.begin(node, now + into_s, compute)
        end = None if begin is None else begin + compute + out_s
        energy += case.figure(node, "compute_power_w") * compute
        price += case.figure(node, "price_per_s") * compute
        for transfer, seconds in ((into, into_s), (out, out_s)):
            if transfer:
                energy += case.figure(transfer[0], "transmit_power_w") * seconds
                price += sum(case.figure(place, "price_per_s") for place in transfer[:2]) * seconds
        shown.append(
            {
                "node": case.nodes[node]["id"],
                "memory_bytes": ceil(case.memory(run)),
                "memory_budget_bytes": case.nodes[node]["memory_bytes"],
                "start_s": now,
                "end_s": end,
                "compute_s": compute,
                "transfer_in_s": into_s,
                "transfer_out_s": out_s,
                "bytes_in": ceil(into[2]) if into else 0,
                "bytes_out": ceil(out[2]) if out else 0,
            }
        )
        now = end
    return {
        "time_s": now,
        "energy_j": energy,
        "price": price,
        "bottleneck_s": max(stage["compute_s"] for stage in shown),
        "bytes_moved": sum(stage["bytes_in"] + stage["bytes_out"] for stage in shown),
        "stages": shown,
    }


Transfer = tuple[int, int, Fraction]


def _transfers(case: Case, stages: list[Stage], k: int) -> tuple[Transfer | None, Transfer | None]:
    """Equation (6): what comes in before and goes out after a stage, as (from, to, bytes)."""
    node, run = stages[k]
    if case.server is not None:
        returned = case.weight_bytes * case.total("parameters", case.trained(run))
        return (case.server, node, case.update(run)), (node, case.server, returned)
    if len(stages) == 1:
        return None, None
    return (stages[k - 1][0], node, case.update(run)), None


def all_plans(case: Case) -> Iterator[list[Stage]]:
    """Every plan that keeps rules (1) and (2) and the given order."""
    count = len(case.rest)
    orders = itertools.combinations if case.given_order else itertools.permutations
    for k in range(1, min(count, len(case.workers)) + 1):
        for cuts in itertools.combinations(range(1, count), k - 1):
            bounds = (0, *cuts, count)
            runs = [tuple(case.rest[a:b]) for a, b in itertools.pairwise(bounds)]
            for order in orders(case.workers, k):
                yield list(zip(order, runs, strict=True))


def as_plan(case: Case, stages: list[Stage]) -> Document:
    """Write stages as a plan document."""
    return {
        "stages": [
            {"node": case.nodes[node]["id"], "layers": [case.layers[index]["name"] for index in run]}
            for node, run in stages
        ]
    }


@dataclass(frozen=True)
class Optimum:
    """The least objective and a plan that has it."""

    objective: Fraction
    plan: Document


def brute(document: Document) -> Optimum | None:
    """Return the best plan by trying all; None for an infeasible instance."""
    case = Case(document)
    best: Optimum | None = None
    for stages in all_plans(case):
        if any(case.memory(run) > case.nodes[node]["memory_bytes"] for node, run in stages):
            continue
        plan = as_plan(case, stages)
        verdict = evaluate(document, plan, case)
        if not verdict.feasible or verdict.objective is None:
            continue
        if best is None or verdict.objective < best.objective:
            best = Optimum(verdict.objective, plan)
    return best
