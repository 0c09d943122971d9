"""What the specification says of a plan, in exact fractions, and the best plan by trying all.

Written from formats.md and layer_assignment.md alone. The rules of plans stand here, the figures of
each schedule in serial.py and pipeline.py. Metrics show bytes rounded up to whole ones; times come from
the exact figures.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from independent.case import Case, Document, Stage, exact, within
from independent.pipeline import Pipeline
from independent.serial import Serial

SCHEDULES: dict[str, type[Case]] = {"serial": Serial, "pipeline": Pipeline}


@dataclass(frozen=True)
class Verdict:
    """Names of the broken rules; metrics are None where the plan is no assignment at all."""

    rules: tuple[str, ...]
    objective: Fraction | None = None
    metrics: Document | None = None

    @property
    def feasible(self) -> bool:
        return not self.rules


def case_of(document: Document) -> Case:
    """Return the instance with the equations of its schedule."""
    return SCHEDULES[document["schedule"]](document)


def evaluate(document: Document, plan: Document, case: Case | None = None) -> Verdict:
    """Judge a plan."""
    case = case or case_of(document)
    rules = list(_structure(case, plan["stages"]))
    if rules:
        return Verdict(tuple(rules))
    stages = case.stages_of(plan)
    metrics = case.metrics(stages)
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


def _memory_holds(case: Case, stages: list[Stage]) -> bool:
    """Equations (4) and (9)."""
    budgets = [case.nodes[node]["memory_bytes"] for node, _ in stages]
    return all(case.memory_of(stages, k) <= budget for k, budget in enumerate(budgets))


def _limits(case: Case, stages: list[Stage], metrics: Document) -> Iterator[str]:
    """Memory, windows and the limits of the whole plan."""
    limits = case.limits
    used = {node for node, _ in stages}
    if not _memory_holds(case, stages):
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


@dataclass(frozen=True)
class Optimum:
    """The least objective and a plan that has it."""

    objective: Fraction
    plan: Document


def brute(document: Document) -> Optimum | None:
    """Return the best plan by trying all; None for an infeasible instance."""
    case = case_of(document)
    best: Optimum | None = None
    for stages in all_plans(case):
        if not _memory_holds(case, stages):
            continue
        plan = case.as_plan(stages)
        verdict = evaluate(document, plan, case)
        if not verdict.feasible or verdict.objective is None:
            continue
        if best is None or verdict.objective < best.objective:
            best = Optimum(verdict.objective, plan)
    return best
