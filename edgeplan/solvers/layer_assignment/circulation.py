"""The integer programme that back-ends get: a circulation over (position, sender class).

One Boolean a step. Costs are integers, needs rounded down and allowances rounded up, so every plan of
the instance is a solution and the programme's optimum bounds the instance's from below. What rounding
lets in besides is found by the problem's own check and excluded by name.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from edgeplan.models.layer_assignment.plan_cost import LIMIT_TOLERANCE
from edgeplan.solvers.layer_assignment.arcs import Arcs
from edgeplan.solvers.layer_assignment.route import Route
from edgeplan.solvers.layer_assignment.stage_table import Bools, Floats, Ints

# CP-SAT 9.15 denies feasible models whose enforced rows hold numbers of 2^43, so times stay far below.
_COST_UNITS = 2.0**36  # of the largest useful cost; 100 roundings err by 1.5e-9 of it
_TIME_UNITS = 2.0**33  # of the latest time that matters
_ALONE = -1  # sender class of the only stage in peer mode, where nothing moves


def _within(limit: float) -> float:
    """Return the limit with the tolerance that formats.md grants."""
    return limit + LIMIT_TOLERANCE * max(1.0, limit)


@dataclass(frozen=True)
class Circulation:
    """The integer programme over some of the steps.

    Parameters
    ----------
    arcs
        Steps and costs.
    useful
        Steps to include, shape [runs, classes, nodes]; the optimum must not need others.
    target
        Objective of a plan; only plans at most as dear matter. None if no plan is known.
    """

    arcs: Arcs
    useful: Bools
    target: float | None

    @cached_property
    def steps(self) -> tuple[Ints, Ints, Ints]:
        """Run, sender class and node of every step; class -1 for the only stage in peer mode."""
        rows, senders, columns = np.nonzero(self.useful & self._affordable)
        alone = np.flatnonzero(self.arcs.alone)
        count = len(alone)
        return (
            np.concatenate([rows, np.full(count, self.arcs.whole_run)]),
            np.concatenate([senders, np.full(count, _ALONE)]),
            np.concatenate([columns, alone]),
        )

    @cached_property
    def _affordable(self) -> Bools:
        """Steps that alone keep the budgets."""
        limits, terms = self.arcs.table.problem.instance.limits, self.arcs.terms
        fits = np.ones(self.useful.shape, dtype=bool)
        for term, limit in (
            (terms.time_s, limits.deadline_s),
            (terms.energy_j, limits.budget_energy_j),
            (terms.price, limits.budget_price),
        ):
            if limit is not None:
                fits &= term <= _within(limit) * (1 + 1e-12)
        return fits

    def _of_steps(self, with_transfer: Floats, own: Floats) -> Floats:
        """Pick a figure for every step from arrays [runs, classes, nodes] and [runs, nodes]."""
        rows, senders, columns = self.steps
        moved = with_transfer[rows, np.maximum(senders, 0), columns]
        return np.where(senders == _ALONE, own[rows, columns], moved)

    @cached_property
    def scale(self) -> float:
        """Integer units of one unit of the objective."""
        largest = self._largest_cost if self.target is None else self.target
        scale = _COST_UNITS / largest if largest > 0 else 1.0
        waiting = self._time_weight * self._horizon_s if self.has_windows else 0.0
        return min(scale, _TIME_UNITS / waiting) if waiting > 0 else scale

    @property
    def _time_weight(self) -> float:
        return self.arcs.table.problem.instance.objective.time_s

    @cached_property
    def _largest_cost(self) -> float:
        weights, (rows, _, columns) = self.arcs.table.problem.instance.objective, self.steps
        cost = self._of_steps(
            self.arcs.terms.weighted(weights.time_s, weights.energy_j, weights.price),
            self.arcs.own_terms.weighted(weights.time_s, weights.energy_j, weights.price),
        )
        cost = cost + weights.bottleneck_s * self.arcs.table.compute_s[rows, columns]
        return float(cost.max(initial=0.0))

    @cached_property
    def _horizon_s(self) -> float:
        """Time at which every plan that matters has ended."""
        longest = float(self._of_steps(self.arcs.terms.time_s, self.arcs.own_terms.time_s).max(initial=0.0))
        horizon = longest * self.arcs.table.num_positions + self._last_window_start
        if self.target is not None and self._time_weight > 0:
            horizon = min(horizon, 2 * self.target / self._time_weight)
        return horizon

    @cached_property
    def _time_scale(self) -> float:
        """Integer units of one second."""
        if self._time_weight > 0:
            return self.scale * self._time_weight
        return _TIME_UNITS / self._horizon_s if self._horizon_s > 0 else 1.0

    @cached_property
    def _last_window_start(self) -> float:
        nodes = self.arcs.table.problem.instance.network.nodes
        starts = [start for index in self.arcs.table.nodes for start, _ in nodes[index].available_s or ()]
        return max(starts, default=0.0)

    @cached_property
    def has_windows(self) -> bool:
        """Whether some node does not always compute."""
        nodes = self.arcs.table.problem.instance.network.nodes
        return any(nodes[index].available_s is not None for index in self.arcs.table.nodes)

    def job(self, *, excluded: list[list[int]], hint: list[int]) -> dict[str, Any]:
        """Write the programme as plain values for a back-end."""
        table, instance = self.arcs.table, self.arcs.table.problem.instance
        rows, senders, columns = self.steps
        weights = instance.objective
        time_weight = 0.0 if self.has_windows else weights.time_s
        terms, own = self.arcs.terms, self.arcs.own_terms
        cost = self._of_steps(
            terms.weighted(time_weight, weights.energy_j, weights.price),
            own.weighted(time_weight, weights.energy_j, weights.price),
        )
        compute = table.compute_s[rows, columns]
        nodes = [instance.network.nodes[index] for index in table.nodes]
        return {
            "positions": table.num_positions,
            "class_of": self.arcs.class_of.tolist(),
            "start": table.run_starts[rows].tolist(),
            "end": table.run_ends[rows].tolist(),
            "sender": senders.tolist(),
            "node": columns.tolist(),
            "cost": _floors(cost, self.scale),
            "bottleneck": _floors(weights.bottleneck_s * compute, self.scale),
            "order_matters": self.arcs.num_classes == 1 and instance.node_order == "given",
            "min_nodes": instance.limits.min_nodes,
            "max_nodes": instance.limits.max_nodes,
            "samples": [node.num_samples for node in nodes],
            "min_samples": instance.limits.min_samples,
            "budgets": self._budgets(),
            "windows": self._windows() if self.has_windows else None,
            "excluded": excluded,
            "hint": hint,
        }

    def _budgets(self) -> list[dict[str, Any]]:
        """Additive limits on the whole plan; the deadline is one unless nodes wait for windows."""
        limits, terms, own = self.arcs.table.problem.instance.limits, self.arcs.terms, self.arcs.own_terms
        budgets = []
        for with_transfer, alone, limit in (
            (terms.time_s, own.time_s, limits.deadline_s),
            (terms.energy_j, own.energy_j, limits.budget_energy_j),
            (terms.price, own.price, limits.budget_price),
        ):
            if limit is None:
                continue
            allowed = _within(limit)
            scale = _COST_UNITS / allowed
            needs = np.minimum(self._of_steps(with_transfer, alone), 2 * allowed)
            budgets.append({"needs": _floors(needs, scale), "limit": math.ceil(allowed * scale)})
        return budgets

    def _windows(self) -> dict[str, Any]:
        """Times of steps and windows of nodes, for plans in which nodes wait."""
        instance, table = self.arcs.table.problem.instance, self.arcs.table
        rows, senders, columns = self.steps
        scale = self._time_scale
        out = self.arcs.transfer_out_s[rows, columns]
        compute = table.compute_s[rows, columns]
        into = np.where(
            senders == _ALONE, 0.0, self.arcs.transfer_in_s[rows, np.maximum(senders, 0), columns]
        )
        horizon = self._horizon_s
        deadline = instance.limits.deadline_s
        nodes = [instance.network.nodes[index] for index in table.nodes]
        return {
            "transfer_in": _floors(into, scale),
            "compute": _floors(compute, scale),
            "transfer_out": _floors(out, scale),
            "in_objective": instance.objective.time_s > 0,
            "deadline": None if deadline is None else math.ceil(min(_within(deadline), 2 * horizon) * scale),
            "of_node": [
                None
                if node.available_s is None
                else [
                    [math.floor(start * scale), math.ceil(min(_within(end), 2 * horizon) * scale)]
                    for start, end in node.available_s
                    if start <= horizon
                ]
                for node in nodes
            ],
        }

    def route(self, chosen: list[int]) -> Route:
        """Return the chosen steps as a route in visiting order."""
        rows, _, columns = self.steps
        table = self.arcs.table
        stages = [
            (int(table.run_starts[rows[step]]), int(table.run_ends[rows[step]]), int(columns[step]))
            for step in chosen
        ]
        return tuple(sorted(stages))

    def steps_of(self, route: Route) -> list[int]:
        """Return the steps of a route, those of them that the programme includes."""
        rows, senders, columns = self.steps
        place_of = {
            key: k
            for k, key in enumerate(zip(rows.tolist(), senders.tolist(), columns.tolist(), strict=True))
        }
        sender = _ALONE if len(route) == 1 and self.arcs.is_peer else int(self.arcs.class_of[route[-1][2]])
        found = []
        for start, end, column in route:
            key = (self.arcs.table.run(start, end), sender, column)
            if key in place_of:
                found.append(place_of[key])
            sender = int(self.arcs.class_of[column])
        return found


def _floors(values: Floats, scale: float) -> list[int]:
    return [math.floor(value) for value in (values * scale).tolist()]
