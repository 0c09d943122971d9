"""Greedy with local search: a simple baseline of our own, what an engineer would write in an afternoon.

Greedy: for a time that every stage may take, each stage goes to the node that carries the most layers
within it; thirty such times are tried. Local search from the best of these: random moves (shift a boundary,
swap two nodes, put another node in, split a stage, drop one); a plan is kept when it breaks rules by no more
than before, or keeps all at no higher objective; it ends after 20,000 moves without gain. Every plan is
judged by the problem itself. Of large networks it looks at the 64 fastest nodes and the 64 best connected.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.rivals.split import Split
from benchmarks.rivals.stage_costs import StageCosts
from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.models.violation import Violation

_PATIENCE = 20_000
_POOL = 64
_NUM_TIMES = 30

Value = tuple[float, float]


def plan(problem: LayerAssignment, *, time_limit_s: float = 60.0) -> Plan | None:
    """Return the best plan found; None where every one breaks a limit."""
    until = time.monotonic() + 0.9 * time_limit_s
    costs = StageCosts(problem)
    if not costs.workers:
        return None
    pool = _pool(costs)
    started = list(_greedy(costs, pool)) or [Split((pool[0],), (costs.num_positions,))]
    best = min(started, key=lambda split: _value(problem, split))
    best = _descend(problem, best, pool, until)
    return best.to_plan(problem) if _value(problem, best)[0] == 0 else None


def _pool(costs: StageCosts) -> list[int]:
    """The nodes that the search looks at: the fastest and the best connected."""
    return list(dict.fromkeys(node for ranked in costs.rankings() for node in ranked[:_POOL]))


def _value(problem: LayerAssignment, split: Split) -> Value:
    """By how much rules are broken, then the objective."""
    check = problem.check(split.to_plan(problem))
    broken = sum(_excess(violation) for violation in check.violations)
    return broken, float("inf") if check.objective is None else check.objective


def _excess(violation: Violation) -> float:
    """Distance of what the limit gives from what the plan needs, relative; 1 where it is no number."""
    need, have = violation.need, violation.have
    if isinstance(need, int | float) and isinstance(have, int | float):
        return abs(need - have) / max(abs(need), abs(have), 1e-12)
    return 1.0


def _greedy(costs: StageCosts, pool: list[int]) -> Iterator[Split]:
    seconds = {node: np.where(costs.fits(node), costs.seconds(node), np.inf) for node in pool}
    quickest = np.min([np.min(table) for table in seconds.values()])
    slowest = max(float(costs.seconds(node)[0, -1]) for node in pool)
    times = np.geomspace(max(quickest, 1e-12), max(slowest, quickest, 1e-12), _NUM_TIMES)
    for allowed in (*times, np.inf):
        split = _filled(costs, seconds, float(allowed))
        if split is not None:
            yield split


def _filled(costs: StageCosts, seconds: dict[int, np.ndarray], allowed: float) -> Split | None:
    """Give each stage the node that carries the most layers within the time allowed; None where none does."""
    nodes: list[int] = []
    ends: list[int] = []
    position, free = 0, costs.arranged([*seconds])
    while position < costs.num_positions:
        before = nodes[-1] if nodes else None
        reach = {node: _reach(costs, seconds[node], before, node, position, allowed) for node in free}
        if not reach or max(reach.values()) <= position:
            return None
        chosen = max(reach, key=lambda node: (reach[node], costs.speed(node)))
        nodes.append(chosen)
        ends.append(reach[chosen])
        position = reach[chosen]
        if costs.problem.instance.node_order == "given":
            free = [node for node in free if node > chosen]
        else:
            free.remove(chosen)
    return Split(tuple(nodes), tuple(ends))


def _reach(
    costs: StageCosts, seconds: np.ndarray, before: int | None, node: int, start: int, allowed: float
) -> int:
    """End of the longest run from `start` that takes the node no longer, or `start`."""
    arrival = costs.arrival_s(before, node)[start]
    taken = np.maximum(seconds[start], arrival) if costs.problem.is_pipeline else seconds[start] + arrival
    within = np.flatnonzero(np.isfinite(seconds[start]) & (taken <= allowed))
    return int(within[-1]) if len(within) else start


def _descend(problem: LayerAssignment, split: Split, pool: list[int], until: float) -> Split:
    """Keep random moves that improve."""
    moves, value = _Moves(random.Random(0), pool), _value(problem, split)
    since_gain = 0
    while since_gain < _PATIENCE and time.monotonic() < until:
        since_gain += 1
        other = moves.moved(split)
        if other is None:
            continue
        found = _value(problem, other)
        if found < value:
            since_gain = 0
        if found <= value:
            split, value = other, found
    return split


@dataclass(frozen=True)
class _Moves:
    """Random changes of a split."""

    rng: random.Random
    pool: list[int]

    def moved(self, split: Split) -> Split | None:
        """Return a changed split; None where the move drawn does not apply."""
        moves = (self._shifted, self._swapped, self._replaced, self._split_up, self._merged)
        nodes, ends = list(split.nodes), list(split.ends)
        if not self.rng.choice(moves)(nodes, ends):
            return None
        return Split(tuple(nodes), tuple(ends))

    def _shifted(self, nodes: list[int], ends: list[int]) -> bool:
        if len(ends) < 2:
            return False
        k = self.rng.randrange(len(ends) - 1)
        least, most = (ends[k - 1] if k else 0) + 1, ends[k + 1] - 1
        near = ends[k] + self.rng.choice((-2, -1, 1, 2))
        end = near if self.rng.random() < 0.7 else self.rng.randint(least, most)
        if not least <= end <= most:
            return False
        ends[k] = end
        return True

    def _swapped(self, nodes: list[int], ends: list[int]) -> bool:
        if len(nodes) < 2:
            return False
        one, other = self.rng.sample(range(len(nodes)), 2)
        nodes[one], nodes[other] = nodes[other], nodes[one]
        return True

    def _unused(self, nodes: list[int]) -> int | None:
        node = self.rng.choice(self.pool)
        return None if node in nodes else node

    def _replaced(self, nodes: list[int], ends: list[int]) -> bool:
        node = self._unused(nodes)
        if node is None:
            return False
        nodes[self.rng.randrange(len(nodes))] = node
        return True

    def _split_up(self, nodes: list[int], ends: list[int]) -> bool:
        k, node = self.rng.randrange(len(nodes)), self._unused(nodes)
        start = ends[k - 1] if k else 0
        if node is None or ends[k] - start < 2:
            return False
        place = k + self.rng.randrange(2)  # before or behind the node that has it
        ends.insert(k, self.rng.randrange(start + 1, ends[k]))
        nodes.insert(place, node)
        return True

    def _merged(self, nodes: list[int], ends: list[int]) -> bool:
        if len(nodes) < 2:
            return False
        k = self.rng.randrange(len(nodes))
        del nodes[k]
        del ends[k if k < len(nodes) else k - 1]
        return True
