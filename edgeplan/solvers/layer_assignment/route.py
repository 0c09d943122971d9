"""A plan as a heuristic holds it, and its cost from the tables.

Values are ordered pairs (shortage, objective): how far limits on the whole plan are missed, then the
objective. The problem itself has the last word on every plan that leaves a solver.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from edgeplan.models.layer_assignment import Plan, Stage
from edgeplan.models.layer_assignment.plan_cost import LIMIT_TOLERANCE
from edgeplan.models.layer_assignment.serial import earliest_start_s
from edgeplan.models.network import Node
from edgeplan.solvers.layer_assignment.arcs import Arcs, Terms

Route = tuple[tuple[int, int, int], ...]
"""Stages (start position, end position, column of the node) in visiting order."""

_Figures = tuple[float, float, float, float]
Value = tuple[float, float]
IMPOSSIBLE: Value = (math.inf, math.inf)


@dataclass(frozen=True)
class RouteCost:
    """Values routes over one table of steps."""

    arcs: Arcs

    @cached_property
    def _nodes(self) -> list[Node]:
        nodes = self.arcs.table.problem.instance.network.nodes
        return [nodes[index] for index in self.arcs.table.nodes]

    @cached_property
    def _has_windows(self) -> bool:
        return any(node.available_s is not None for node in self._nodes)

    def value(self, route: Route) -> Value:
        """Shortage and objective of a route; impossible where one stage alone breaks a limit."""
        instance = self.arcs.table.problem.instance
        columns = [column for _, _, column in route]
        if len({*columns}) < len(columns):
            return IMPOSSIBLE
        if instance.node_order == "given" and columns != sorted(columns):
            return IMPOSSIBLE
        steps = self._steps(route)
        if steps is None:
            return IMPOSSIBLE
        time_s = sum(step[0] for step in steps)
        energy_j, price = sum(step[1] for step in steps), sum(step[2] for step in steps)
        bottleneck_s = max(step[3] for step in steps)
        missed = 0.0
        if self._has_windows:
            waited = self._time_with_waiting(route, steps)
            missed, time_s = (1.0, time_s) if waited is None else (0.0, waited)
        weights = instance.objective
        objective = (
            weights.time_s * time_s
            + weights.energy_j * energy_j
            + weights.price * price
            + weights.bottleneck_s * bottleneck_s
        )
        return missed + self._shortage(route, time_s, energy_j, price), objective

    def _steps(self, route: Route) -> list[_Figures] | None:
        """(time, energy, price, compute) of each stage, or None where one is not allowed."""
        arcs, table = self.arcs, self.arcs.table
        if len(route) == 1 and arcs.is_peer:
            column = route[0][2]
            own, row = arcs.own_terms, arcs.whole_run
            if not arcs.alone[column]:
                return None
            return [_figures(own, (row, column), table.compute_s[row, column])]
        steps, sender = [], int(arcs.class_of[route[-1][2]])
        for start, end, column in route:
            row = table.run(start, end)
            if not arcs.allowed[row, sender, column]:
                return None
            steps.append(_figures(arcs.terms, (row, sender, column), table.compute_s[row, column]))
            sender = int(arcs.class_of[column])
        return steps

    def _time_with_waiting(self, route: Route, steps: list[_Figures]) -> float | None:
        now = 0.0
        for (start, end, column), (time_s, _, _, compute_s) in zip(route, steps, strict=True):
            out_s = float(self.arcs.transfer_out_s[self.arcs.table.run(start, end), column])
            begin = earliest_start_s(self._nodes[column], now + time_s - compute_s - out_s, compute_s)
            if begin is None:
                return None
            now = begin + compute_s + out_s
        return now

    def _shortage(self, route: Route, time_s: float, energy_j: float, price: float) -> float:
        limits = self.arcs.table.problem.instance.limits
        shortage = float(max(0, limits.min_nodes - len(route)))
        if limits.max_nodes is not None:
            shortage += max(0, len(route) - limits.max_nodes)
        if limits.min_samples:
            samples = sum(self._nodes[column].num_samples for _, _, column in route)
            shortage += max(0.0, 1.0 - samples / limits.min_samples)
        for value, limit in (
            (time_s, limits.deadline_s),
            (energy_j, limits.budget_energy_j),
            (price, limits.budget_price),
        ):
            if limit is not None:
                allowed = limit + LIMIT_TOLERANCE * max(1.0, limit)
                shortage += max(0.0, value - allowed) / max(allowed, 1e-9)
        return shortage

    def to_plan(self, route: Route) -> Plan:
        """Return the route in the problem's words."""
        figures = self.arcs.table.problem.figures
        layers = self.arcs.table.problem.instance.model.layers
        return Plan(
            stages=tuple(
                Stage(
                    node=self._nodes[column].id,
                    layers=tuple(layers[index].name for index in figures.own[start:end]),
                )
                for start, end, column in route
            )
        )

    def from_plan(self, plan: Plan) -> Route | None:
        """Return a plan as a route, or None if it uses a node that is no candidate."""
        column_of = {node.id: column for column, node in enumerate(self._nodes)}
        route, position = [], 0
        for stage in plan.stages:
            if stage.node not in column_of:
                return None
            route.append((position, position + len(stage.layers), column_of[stage.node]))
            position += len(stage.layers)
        return tuple(route)


def _figures(terms: Terms, place: tuple[int, ...], compute_s: float) -> _Figures:
    """Time, energy, price and compute time of one step."""
    return (
        float(terms.time_s[place]),
        float(terms.energy_j[place]),
        float(terms.price[place]),
        float(compute_s),
    )
