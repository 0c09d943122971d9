"""A plan as a heuristic holds it, and its cost from the tables.

Values are ordered pairs (shortage, objective): how far limits on the whole plan are missed, then the
objective. The problem itself has the last word on every plan that leaves a solver.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from edgeplan.models.layer_assignment import Plan, Stage
from edgeplan.models.layer_assignment.serial import earliest_start_s
from edgeplan.models.numbers import LIMIT_TOLERANCE
from edgeplan.solvers.layer_assignment.steps.arcs import Arcs, Route, Steps
from edgeplan.solvers.layer_assignment.steps.serial_arcs import SerialArcs

Value = tuple[float, float]
IMPOSSIBLE: Value = (math.inf, math.inf)


@dataclass(frozen=True)
class RouteCost:
    """Values routes over one table of steps."""

    arcs: Arcs

    @cached_property
    def _has_windows(self) -> bool:
        return any(node.available_s is not None for node in self.arcs.candidates)

    def value(self, route: Route) -> Value:
        """Shortage and objective of a route; impossible where one stage alone breaks a limit."""
        arcs, columns = self.arcs, [column for _, _, column in route]
        if len({*columns}) < len(columns):
            return IMPOSSIBLE
        if arcs.table.problem.instance.node_order == "given" and columns != sorted(columns):
            return IMPOSSIBLE
        steps = arcs.steps_of(route)
        if not all(arcs.allowed[step] for step in steps) or self._too_early(steps):
            return IMPOSSIBLE
        terms = arcs.terms
        time_s = sum(float(terms.time_s[step]) for step in steps)
        energy_j = sum(float(terms.energy_j[step]) for step in steps)
        price = sum(float(terms.price[step]) for step in steps)
        bottleneck_s = arcs.bottleneck_s(steps)
        time_s += arcs.peaks_in_time * bottleneck_s
        missed = 0.0
        if isinstance(arcs, SerialArcs) and self._has_windows:
            waited = self._time_with_waiting(arcs, steps)
            missed, time_s = (1.0, time_s) if waited is None else (0.0, waited)
        weights = arcs.weights
        objective = (
            weights.time_s * time_s
            + weights.energy_j * energy_j
            + weights.price * price
            + weights.bottleneck_s * bottleneck_s
        )
        return missed + self._shortage(route, time_s, energy_j, price), objective

    def _too_early(self, steps: Steps) -> bool:
        """Whether a node does not hold what is in flight with so many stages to come."""  # (9)
        limits = self.arcs.table.tail_limits
        if limits is None:
            return False
        return any(limits[row, column] < len(steps) - k for k, (row, _, column) in enumerate(steps))

    def _time_with_waiting(self, arcs: SerialArcs, steps: Steps) -> float | None:  # (7)
        now = 0.0
        for row, sender, column in steps:
            ready_s = now + float(arcs.transfer_in_s[row, sender, column])
            compute_s = float(arcs.table.compute_s[row, column])
            begin = earliest_start_s(self.arcs.candidates[column], ready_s, compute_s)
            if begin is None:
                return None
            now = begin + compute_s + float(arcs.transfer_out_s[row, column])
        return now

    def _shortage(self, route: Route, time_s: float, energy_j: float, price: float) -> float:
        limits = self.arcs.table.problem.instance.limits
        shortage = float(max(0, limits.min_nodes - len(route)))
        if limits.max_nodes is not None:
            shortage += max(0, len(route) - limits.max_nodes)
        if limits.min_samples:
            samples = sum(self.arcs.candidates[column].num_samples for _, _, column in route)
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
                    node=self.arcs.candidates[column].id,
                    layers=tuple(layers[index].name for index in figures.own[start:end]),
                )
                for start, end, column in route
            )
        )

    def from_plan(self, plan: Plan) -> Route | None:
        """Return a plan as a route, or None if it uses a node that is no candidate."""
        column_of = {node.id: column for column, node in enumerate(self.arcs.candidates)}
        route, position = [], 0
        for stage in plan.stages:
            if stage.node not in column_of:
                return None
            route.append((position, position + len(stage.layers), column_of[stage.node]))
            position += len(stage.layers)
        return tuple(route)
