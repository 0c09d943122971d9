"""The walk that labels follow: which steps there are, what labels carry, and which limits bind them.

Only what a weight or a limit asks for is carried. Additive figures that are multiples of each other
are one number, so the plain objective "time" with a deadline needs a single one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property, reduce

import numpy as np

from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.numbers import LIMIT_TOLERANCE
from edgeplan.solvers.layer_assignment.label_setting.criteria import (
    Amounts,
    Clock,
    Criterion,
    LargestBusy,
    LargestCompute,
    Missing,
    Sum,
)
from edgeplan.solvers.layer_assignment.label_setting.node_types import NodeTypes
from edgeplan.solvers.layer_assignment.label_setting.step_costs import (
    StepCosts,
    are_finite,
    pipeline_costs,
    serial_costs,
)
from edgeplan.solvers.layer_assignment.steps.stage_table import Bools, Floats, Ints

_ROUNDING = 1e-12  # relative; what a limit is missed by less is left to the problem's judgement


@dataclass(frozen=True)
class Limit:
    """A bound on a weighted sum of a label's numbers; `at_end` holds for whole walks alone."""

    coefficients: Floats
    most: float
    at_end: bool = False


@dataclass(frozen=True)
class _Bounded:
    """A weighted sum of time, energy, price and bottleneck, and the most that it may be."""

    weights: tuple[float, float, float]
    bottleneck: float
    most: float

    @property
    def factor(self) -> float:
        """First positive weight, or zero."""
        return next((weight for weight in self.weights if weight > 0), 0.0)

    @property
    def proportions(self) -> tuple[float, ...] | None:
        """Weights in units of the first; None where all are zero."""
        return tuple(weight / self.factor for weight in self.weights) if self.factor > 0 else None


@dataclass
class _Composed:
    """Criteria while they are put together."""

    criteria: list[Criterion] = field(default_factory=list)
    width: int = 0

    def add(self, criterion: Criterion) -> int:
        """Add a criterion; return the place of its first number."""
        place = self.width
        self.criteria.append(criterion)
        self.width += len(criterion.start)
        return place


@dataclass(frozen=True)
class Walk:
    """Steps, criteria and limits of one instance.

    Parameters
    ----------
    problem
        The instance.
    types
        Its nodes by type.
    """

    problem: LayerAssignment
    types: NodeTypes

    @cached_property
    def costs(self) -> StepCosts:
        """What steps cost."""
        return pipeline_costs(self.types) if self.problem.is_pipeline else serial_costs(self.types)

    @property
    def num_positions(self) -> int:
        """Number of layers that are assigned, n."""
        return len(self.problem.figures.own)

    @property
    def is_round(self) -> bool:
        """Whether the first stage gets its parameters from the last node."""
        return not self.problem.is_pipeline and self.problem.server is None

    @cached_property
    def groups(self) -> Ints:
        """What each type is to its neighbour, shape [types]."""
        return np.array(self.types.groups, dtype=np.int64)

    @property
    def closings(self) -> range:
        """Groups that the neighbour of the first step may be: in a round, those of the last node."""
        count = self.types.num_groups
        return range(count, count + 1) if self.problem.is_pipeline else range(count)

    @cached_property
    def allowed(self) -> Bools:
        """Whether a type may serve a run, all limits of the single stage kept, shape [runs, types]."""
        return np.asarray(self.costs.table.allowed & are_finite(self.costs))

    @cached_property
    def most_stages(self) -> int:
        """Most stages that a plan may have."""
        limit = self.problem.instance.limits.max_nodes
        natural = min(self.num_positions, sum(self.types.capacities))
        return natural if limit is None else min(natural, limit)

    def rows_from(self, position: int) -> Ints:
        """Rows of the runs that begin at a position of the walk, the shortest first."""
        table, n = self.costs.table, self.num_positions
        if self.problem.is_pipeline:
            end = n - position
            return np.array([table.run(start, end) for start in range(end - 1, -1, -1)], dtype=np.int64)
        return np.array([table.run(position, end) for end in range(position + 1, n + 1)], dtype=np.int64)

    @property
    def may_have_tail_limits(self) -> bool:
        """Whether memory may depend on the number of stages behind."""  # (9)
        instance = self.problem.instance
        training = instance.training.pass_ == "training"
        return self.problem.is_pipeline and training and instance.in_flight == "1f1b"

    @cached_property
    def tail_limits(self) -> Ints | None:
        """Most stages up to and with a step, shape [runs, types]; None is no limit."""  # (9)
        return self.costs.table.tail_limits

    @cached_property
    def has_windows(self) -> bool:
        """Whether some node of a round does not always compute."""
        return not self.problem.is_pipeline and any(node.available_s is not None for node in self.types.nodes)

    @cached_property
    def _bounded(self) -> list[_Bounded]:
        """The objective, and the limits on sums over the plan; waiting leaves time to the clock."""  # (3)
        weights, limits = self.problem.instance.objective, self.problem.instance.limits
        waves = float(self.problem.instance.micro_batches - 1) if self.problem.is_pipeline else 0.0  # (11)
        of_time = 0.0 if self.has_windows else 1.0
        bottleneck = weights.bottleneck_s + waves * weights.time_s
        sums = (of_time * weights.time_s, weights.energy_j, weights.price)
        found = [_Bounded(sums, bottleneck, math.inf)]
        if limits.deadline_s is not None:
            found.append(_Bounded((of_time, 0.0, 0.0), waves, _within(limits.deadline_s)))
        if limits.budget_energy_j is not None:
            found.append(_Bounded((0.0, 1.0, 0.0), 0.0, _within(limits.budget_energy_j)))
        if limits.budget_price is not None:
            found.append(_Bounded((0.0, 0.0, 1.0), 0.0, _within(limits.budget_price)))
        return found

    @property
    def num_criteria(self) -> int:
        """Criteria but for missing samples."""
        sums = {bounded.proportions for bounded in self._bounded} - {None}
        return len(sums) + self.has_windows + any(bounded.bottleneck > 0 for bounded in self._bounded)

    @cached_property
    def _composed(self) -> tuple[tuple[Criterion, ...], tuple[Limit, ...]]:
        """Criteria, and limits of which the first is the objective."""
        composed, rows = _Composed(), [dict[int, float]() for _ in self._bounded]
        if self.has_windows:
            clock = composed.add(self._clock())
            for row, weight in zip(rows, self._clock_weights(), strict=True):
                row[clock] = weight
        if any(bounded.bottleneck > 0 for bounded in self._bounded):
            peak = composed.add(self._peak())
            for row, bounded in zip(rows, self._bounded, strict=True):
                row[peak] = bounded.bottleneck
        place_of: dict[tuple[float, ...], int] = {}
        for row, bounded in zip(rows, self._bounded, strict=True):
            if bounded.proportions is not None:
                if bounded.proportions not in place_of:
                    place_of[bounded.proportions] = composed.add(Sum(self._sum(bounded.proportions)))
                row[place_of[bounded.proportions]] = bounded.factor
        most = [bounded.most for bounded in self._bounded]
        if self.problem.instance.limits.min_samples > 0:
            rows.append({composed.add(self._missing_samples()): 1.0})
        width = composed.width
        limits = [Limit(_dense(row, width), bound) for row, bound in zip(rows, most, strict=False)]
        limits += [Limit(_dense(row, width), 0.0, at_end=True) for row in rows[len(most) :]]
        return tuple(composed.criteria), tuple(limits)

    def _clock_weights(self) -> list[float]:
        """Weight of the clock in the objective and in each limit."""
        limits = self.problem.instance.limits
        weights = [self.problem.instance.objective.time_s]
        weights += [1.0] if limits.deadline_s is not None else []
        return weights + [0.0] * (len(self._bounded) - len(weights))

    def _sum(self, proportions: tuple[float, ...]) -> Amounts:
        terms = (self.costs.time_s, self.costs.energy_j, self.costs.price)
        chosen = [
            term.weighted(weight) for weight, term in zip(proportions, terms, strict=True) if weight > 0
        ]
        return reduce(Amounts.plus, chosen)

    def _missing_samples(self) -> Missing:
        held = np.array([float(node.num_samples) for node in self.types.nodes])
        return Missing(float(self.problem.instance.limits.min_samples), held)

    def _clock(self) -> Clock:
        time_s, table = self.costs.time_s, self.costs.table
        arriving = Amounts(np.zeros(time_s.own.shape), time_s.latency, time_s.per_bit, time_s.bits)
        windows = tuple(node.available_s for node in self.types.nodes)
        return Clock(arriving, table.compute_s, self.costs.leaving_s, windows)

    def _peak(self) -> Criterion:
        time_s, compute_s = self.costs.time_s, self.costs.table.compute_s
        amounts = Amounts(compute_s, time_s.latency, time_s.per_bit, time_s.bits)
        if self.problem.is_pipeline and not self.problem.instance.overlap:
            return LargestBusy(amounts)
        return LargestCompute(amounts, transfers_too=self.problem.is_pipeline)

    @property
    def criteria(self) -> tuple[Criterion, ...]:
        """What labels carry."""
        return self._composed[0]

    @property
    def objective(self) -> Floats:
        """Coefficients of the objective over the numbers of a label."""
        return self._composed[1][0].coefficients

    @property
    def objective_amounts(self) -> Amounts:
        """The objective's sum over steps, without waiting and without the bottleneck."""
        weights = self.problem.instance.objective
        none = self.costs.time_s.weighted(0.0)
        terms = (
            (weights.time_s, self.costs.time_s),
            (weights.energy_j, self.costs.energy_j),
            (weights.price, self.costs.price),
        )
        return reduce(Amounts.plus, [term.weighted(weight) for weight, term in terms if weight > 0], none)

    @cached_property
    def bottleneck_coefficients(self) -> Floats:
        """Coefficients of the bottleneck's share of the objective over the numbers of a label."""
        place = [isinstance(criterion, LargestCompute | LargestBusy) for criterion in self.criteria]
        if not any(place):
            return np.zeros(len(self.objective))
        first = sum(len(criterion.start) for criterion in self.criteria[: place.index(True)])
        return np.where(np.arange(len(self.objective)) == first, self.objective, 0.0)

    @property
    def limits(self) -> tuple[Limit, ...]:
        """Limits on the numbers of a label."""
        return self._composed[1][1:]


def _dense(row: dict[int, float], width: int) -> Floats:
    return np.array([row.get(place, 0.0) for place in range(width)])


def _within(limit: float) -> float:
    """Return the limit with the tolerance that formats.md grants, and a rounding."""
    return (limit + LIMIT_TOLERANCE * max(1.0, limit)) * (1 + _ROUNDING)
