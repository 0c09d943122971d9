"""Repair of a plan that a changed instance no longer accepts.

What the plan says of layers and nodes that are still there is kept; layers that lost their node go to
the neighbours, to the most promising unused nodes, or partly to each. From these starts a bounded
descent lets the problem itself judge every neighbour: first how far limits are missed, then the
objective. It knows nothing of the schedule but what `problem.check` says.
"""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby

from edgeplan.errors import UsageError
from edgeplan.models.layer_assignment import LayerAssignment, Plan, Stage
from edgeplan.models.network import Node
from edgeplan.models.violation import Violation
from edgeplan.solvers.layer_assignment.heuristic.neighbours import Assignment, neighbours

MAX_CHECKS = 4_000
_PER_QUALITY = 4  # unused nodes taken by each thing that a node may be good at
Value = tuple[float, float]


def repair(
    problem: LayerAssignment, plan: Plan, *, until: float = math.inf, max_checks: int = MAX_CHECKS
) -> Plan | None:
    """Return a plan that keeps all limits, near the one given; None if the search finds none.

    Parameters
    ----------
    problem
        The instance to keep.
    plan
        A plan made for another one: it may break limits and name nodes and layers that are gone. A plan
        that breaks nothing is returned as it is.
    until
        Monotonic time at which to end.
    max_checks
        Most plans to judge.

    Examples
    --------
    >>> from edgeplan.models.layer_assignment.examples import two_layers_two_nodes
    >>> old = Plan.from_document(
    ...     {"stages": [{"node": "gone", "layers": ["conv"]}, {"node": "slow", "layers": ["head"]}]}
    ... )
    >>> [stage.node for stage in repair(two_layers_two_nodes(), old).stages]
    ['fast', 'slow']
    """
    if problem.check(plan).feasible:
        return plan
    judge = _Judge(problem, until, max_checks)
    promising = _promising(problem, plan)
    starts = {start: judge.value(start) for start in _starts(problem, plan, promising)}
    for start in sorted(starts, key=lambda start: (starts[start], start)):
        (missed, objective), best = _descend(judge, start, starts[start], promising)
        if missed == 0 and objective < math.inf:
            return judge.plan(best)
    return None


@dataclass
class _Judge:
    """Values assignments by the problem's own check, until time or patience is over."""

    problem: LayerAssignment
    until: float
    left: int
    layers: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.layers = _own_layers(self.problem)

    @property
    def is_over(self) -> bool:
        return self.left <= 0 or time.monotonic() > self.until

    def plan(self, assignment: Assignment) -> Plan:
        return Plan(
            stages=tuple(Stage(node=node, layers=self.layers[start:end]) for start, end, node in assignment)
        )

    def value(self, assignment: Assignment) -> Value:
        """How far limits are missed, then the objective."""
        self.left -= 1
        try:
            check = self.problem.check(self.plan(assignment))
        except UsageError:  # figures beyond what a float holds
            return math.inf, math.inf
        missed = sum(_shortage(violation) for violation in check.violations)
        return missed, math.inf if check.objective is None else check.objective


def _shortage(violation: Violation) -> float:
    """How far a limit is missed, as a share of it; 1 where nothing can be measured."""
    need, have = violation.need, violation.have
    if not isinstance(need, int | float) or not isinstance(have, int | float):
        return 1.0
    return abs(need - have) / max(abs(need), abs(have), 1e-9)


def _descend(judge: _Judge, best: Assignment, value: Value, promising: list[str]) -> tuple[Value, Assignment]:
    """Take the first better neighbour until none is left, or time and patience are over."""
    improved = True
    while improved:
        improved = False
        for neighbour in neighbours(best, promising):
            if judge.is_over:
                return value, best
            candidate = judge.value(neighbour)
            if candidate < value:
                value, best, improved = candidate, neighbour, True
                break
    return value, best


def _own_layers(problem: LayerAssignment) -> tuple[str, ...]:
    layers = problem.instance.model.layers
    return tuple(layers[index].name for index in problem.figures.own)


def _starts(problem: LayerAssignment, plan: Plan, promising: list[str]) -> Iterator[Assignment]:
    """Yield assignments of all layers that differ in who takes over what lost its node."""
    owners = _owners_left(problem, plan)
    for fill in (_from_the_left, _from_the_right, _from_both):
        filled = fill(owners)
        if None not in filled:
            yield _stages(filled)
    unused = (node for node in promising if node not in owners)
    replaced = [
        (next(unused, None) if owner is None else owner, len(list(run))) for owner, run in groupby(owners)
    ]
    if all(owner is not None for owner, _ in replaced):
        yield _stages([owner for owner, length in replaced for _ in range(length)])
    if not any(owners):
        yield from (((0, len(owners), node),) for node in promising)


def _owners_left(problem: LayerAssignment, plan: Plan) -> list[str | None]:
    """Owner of each layer in the old plan; None where it is gone, or would serve a second run."""
    known, layers = problem.instance.network.index_of, _own_layers(problem)
    owner_of = {layer: stage.node for stage in plan.stages for layer in stage.layers}
    named = [owner_of.get(layer) for layer in layers]
    owners = [node if node in known and node != problem.server else None for node in named]
    longest: dict[str, tuple[int, int]] = {}
    for start, end, node in _runs(owners):
        if node is not None and end - start > longest.get(node, (0, 0))[0]:
            longest[node] = (end - start, start)
    return [
        owner
        for start, end, node in _runs(owners)
        for owner in [node if node is not None and longest[node][1] == start else None] * (end - start)
    ]


def _runs(owners: list[str | None]) -> Iterator[tuple[int, int, str | None]]:
    start = 0
    for owner, run in groupby(owners):
        end = start + len(list(run))
        yield start, end, owner
        start = end


def _stages(owners: list[str | None]) -> Assignment:
    return tuple((start, end, node) for start, end, node in _runs(owners) if node is not None)


def _from_the_left(owners: list[str | None]) -> list[str | None]:
    """Let the node before take over; the first node takes what has none before it."""
    filled, last = [], next((owner for owner in owners if owner), None)
    for owner in owners:
        last = owner or last
        filled.append(last)
    return filled


def _from_the_right(owners: list[str | None]) -> list[str | None]:
    return _from_the_left(owners[::-1])[::-1]


def _from_both(owners: list[str | None]) -> list[str | None]:
    """Let both neighbours take half of each gap."""
    left, right = _from_the_left(owners), _from_the_right(owners)
    filled: list[str | None] = []
    for start, end, owner in _runs(owners):
        middle = end if owner else (start + end) // 2
        filled += left[start:middle] + right[middle:end]
    return filled


def _promising(problem: LayerAssignment, plan: Plan) -> list[str]:
    """Nodes of the plan that are there, then those pinned or good at something: speed, memory and so on."""
    instance = problem.instance
    known = instance.network.index_of
    chosen = {stage.node: None for stage in plan.stages if stage.node in known}
    chosen |= dict.fromkeys(instance.pin.values())
    free = [node for node in instance.network.nodes if node.id not in chosen and node.id != problem.server]
    for quality in (_speed, _memory, _samples, _rate):
        chosen |= {node.id: None for node in heapq.nlargest(_PER_QUALITY, free, key=quality)}
    return [node for node in chosen if node != problem.server]


def _speed(node: Node) -> float:
    return node.flops_per_s


def _memory(node: Node) -> float:
    return node.memory_bytes


def _samples(node: Node) -> float:
    return node.num_samples


def _rate(node: Node) -> float:
    rates = [rate for rate in (node.uplink_bit_per_s, node.downlink_bit_per_s) if rate is not None]
    return min(rates, default=math.inf)
