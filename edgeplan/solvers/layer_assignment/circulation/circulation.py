"""The integer programme that back-ends get: a walk over (position, sender class).

One Boolean a step; a serial round is a circulation, a pipeline a path. Costs are integers, needs rounded
down and allowances rounded up, so every plan of the instance is a solution and the programme's optimum
bounds the instance's from below. What rounding lets in besides is found by the problem's own check and
excluded by name.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from edgeplan.models.numbers import LIMIT_TOLERANCE
from edgeplan.solvers.layer_assignment.steps.arcs import Arcs, Route
from edgeplan.solvers.layer_assignment.steps.serial_arcs import SerialArcs
from edgeplan.solvers.layer_assignment.steps.stage_table import Bools, Floats, Ints

# CP-SAT 9.15 denies feasible models whose enforced rows hold numbers of 2^43, so times stay far below.
_COST_UNITS = 2.0**36  # of the largest useful cost; 100 roundings err by 1.5e-9 of it
_TIME_UNITS = 2.0**33  # of the latest time that matters
_MOST_ENTRIES = 2_000_000  # of the rows of the bottleneck
_LARGEST_SCALE = 2.0**900
_NO_SENDER = -1  # the source, as back-ends know it


def _scale(units: float, largest: float) -> float:
    """Units of one where the largest figure has so many; finite even for the smallest figures."""
    return min(units / largest, _LARGEST_SCALE) if largest > 0 else 1.0


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
        """Run, sender class and node of every step."""
        rows, senders, columns = np.nonzero(self.useful & self._affordable)
        return rows, senders, columns

    @property
    def num_steps(self) -> int:
        """Number of steps."""
        return len(self.steps[0])

    @cached_property
    def _affordable(self) -> Bools:
        """Steps that alone keep the budgets, and behind which a plan can go on."""
        fits = np.isfinite(self.arcs.peak_s)
        for term, limit, peaks in self._limited():
            need = term + peaks * self.arcs.peak_s if peaks > 0 else term
            fits &= need <= _within(limit) * (1 + 1e-12)
        return fits

    def _limited(self) -> Iterator[tuple[Floats, float, int]]:
        """Costs of steps that are limited, the limit, and how often the bottleneck comes on top."""  # (3)
        limits, terms = self.arcs.table.problem.instance.limits, self.arcs.terms
        for term, limit, peaks in (
            (terms.time_s, limits.deadline_s, self.arcs.peaks_in_time),
            (terms.energy_j, limits.budget_energy_j, 0),
            (terms.price, limits.budget_price, 0),
        ):
            if limit is not None:
                yield term, limit, peaks

    @cached_property
    def scale(self) -> float:
        """Integer units of one unit of the objective."""
        largest = self._largest_cost if self.target is None else self.target
        scale = _scale(_COST_UNITS, largest)
        waiting = self._time_weight * self._horizon_s if self.has_windows else 0.0
        return min(scale, _scale(_TIME_UNITS, waiting)) if waiting > 0 else scale

    @property
    def _time_weight(self) -> float:
        return self.arcs.weights.time_s

    @cached_property
    def _largest_cost(self) -> float:
        weights = self.arcs.weights
        cost = self.arcs.terms.weighted(weights.time_s, weights.energy_j, weights.price)[self.steps]
        if self.arcs.peak_weight > 0:
            cost = cost + self.arcs.peak_weight * self.arcs.peak_s[self.steps]
        return float(cost.max(initial=0.0))

    @cached_property
    def _horizon_s(self) -> float:
        """Time at which every plan that matters has ended."""
        longest = float(self.arcs.terms.time_s[self.steps].max(initial=0.0))
        horizon = longest * self.arcs.table.num_positions + self._last_window_start
        if self.target is not None and self._time_weight > 0:
            horizon = min(horizon, 2 * self.target / self._time_weight)
        return horizon

    @cached_property
    def _time_scale(self) -> float:
        """Integer units of one second."""
        if self._time_weight > 0:
            return self.scale * self._time_weight
        return _scale(_TIME_UNITS, self._horizon_s)

    @cached_property
    def _last_window_start(self) -> float:
        starts = [start for node in self.arcs.candidates for start, _ in node.available_s or ()]
        return max(starts, default=0.0) if self.has_windows else 0.0

    @cached_property
    def has_windows(self) -> bool:
        """Whether some node of a serial round does not always compute."""
        nodes = self.arcs.candidates
        return self.arcs.is_cyclic and any(node.available_s is not None for node in nodes)

    def job(self, *, excluded: list[list[int]], hint: list[int]) -> dict[str, Any]:
        """Write the programme as plain values for a back-end."""
        arcs, table, instance = self.arcs, self.arcs.table, self.arcs.table.problem.instance
        rows, senders, columns = self.steps
        weights = arcs.weights
        time_weight = 0.0 if self.has_windows else weights.time_s
        cost = arcs.terms.weighted(time_weight, weights.energy_j, weights.price)[self.steps]
        return {
            "positions": table.num_positions,
            "cyclic": arcs.is_cyclic,
            "class_of": arcs.class_of.tolist(),
            "start": table.run_starts[rows].tolist(),
            "end": table.run_ends[rows].tolist(),
            "sender": np.where(senders == arcs.source, _NO_SENDER, senders).tolist(),
            "node": columns.tolist(),
            "cost": _floors(cost, self.scale),
            "peak": self._peak(arcs.peak_weight * self.scale),
            "order_matters": instance.node_order == "given" and not arcs.keeps_order,
            "min_nodes": instance.limits.min_nodes,
            "max_nodes": instance.limits.max_nodes,
            "samples": [node.num_samples for node in arcs.candidates],
            "min_samples": instance.limits.min_samples,
            "budgets": self._budgets(),
            "tail_limits": None if table.tail_limits is None else table.tail_limits[rows, columns].tolist(),
            "windows": self._windows() if self.has_windows else None,
            "excluded": excluded,
            "hint": hint,
        }

    def _budgets(self) -> list[dict[str, Any]]:
        """Limits on sums over the plan; the deadline is one unless nodes wait for windows."""
        budgets = []
        for term, limit, peaks in self._limited():
            allowed = _within(limit)
            scale = _scale(_COST_UNITS, allowed)
            needs = np.minimum(term[self.steps], 2 * allowed)
            budgets.append(
                {
                    "needs": _floors(needs, scale),
                    "limit": math.ceil(allowed * scale),
                    "peak": self._peak(peaks * scale),
                }
            )
        return budgets

    def _peak(self, scale: float) -> list[dict[str, list[int]]]:
        """Rows whose largest sum is the bottleneck, in integer units; none with a scale of zero."""
        if scale <= 0:
            return []
        rows = self.largest_of(_floors(self.arcs.peak_s[self.steps], scale))
        if self.arcs.shared_peaks_s is not None:
            ending, starting = (_floors(peaks[self.steps], scale) for peaks in self.arcs.shared_peaks_s)
            rows += self._sums_at_cuts(ending, starting)
        return rows

    @cached_property
    def _ends_of_steps(self) -> tuple[Ints, Ints]:
        rows, _, _ = self.steps
        return self.arcs.table.run_starts[rows], self.arcs.table.run_ends[rows]

    def largest_of(self, needs: list[int]) -> list[dict[str, list[int]]]:
        """Return rows whose largest sum is the largest need of a chosen step.

        One row a position, of the steps that cover it; where that makes too many entries, of those
        that begin there, which says the same in integers.
        """
        starts, ends = self._ends_of_steps
        begun_only = int((ends - starts).sum()) > _MOST_ENTRIES
        crossing = (
            np.flatnonzero(
                starts == position if begun_only else (starts <= position) & (position < ends)
            ).tolist()
            for position in range(self.arcs.table.num_positions)
        )
        return _rows([[(k, needs[k]) for k in steps] for steps in crossing])

    def _sums_at_cuts(self, ending: list[int], starting: list[int]) -> list[dict[str, list[int]]]:
        """Return a row a cut: what the step before it needs and what the step behind it adds."""
        starts, ends = self._ends_of_steps
        return _rows(
            [
                [(k, ending[k]) for k in np.flatnonzero(ends == cut).tolist()]
                + [(k, starting[k]) for k in np.flatnonzero(starts == cut).tolist()]
                for cut in range(1, self.arcs.table.num_positions)
            ]
        )

    def _windows(self) -> dict[str, Any]:
        """Times of steps and windows of nodes, for plans in which nodes wait."""
        assert isinstance(self.arcs, SerialArcs)
        instance, table = self.arcs.table.problem.instance, self.arcs.table
        rows, _, columns = self.steps
        scale = self._time_scale
        into, out = self.arcs.transfer_in_s[self.steps], self.arcs.transfer_out_s[rows, columns]
        compute = table.compute_s[rows, columns]
        horizon = self._horizon_s
        deadline = instance.limits.deadline_s
        return {
            "transfer_in": _floors(into, scale),
            "compute": _floors(compute, scale),
            "transfer_out": _floors(out, scale),
            "in_objective": self._time_weight > 0,
            "deadline": None if deadline is None else math.ceil(min(_within(deadline), 2 * horizon) * scale),
            "of_node": [
                None
                if node.available_s is None
                else [
                    [math.floor(start * scale), math.ceil(min(_within(end), 2 * horizon) * scale)]
                    for start, end in node.available_s
                    if start <= horizon
                ]
                for node in self.arcs.candidates
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
        keys = zip(*(part.tolist() for part in self.steps), strict=True)
        place_of = {key: k for k, key in enumerate(keys)}
        return [place_of[key] for key in self.arcs.steps_of(route) if key in place_of]


def _rows(terms: list[list[tuple[int, int]]]) -> list[dict[str, list[int]]]:
    """Rows as back-ends take them, without zeros and empty rows."""
    kept = [[(k, need) for k, need in row if need] for row in terms]
    return [{"steps": [k for k, _ in row], "needs": [need for _, need in row]} for row in kept if row]


def _floors(values: Floats, scale: float) -> list[int]:
    return [math.floor(value) for value in (values * scale).tolist()]
