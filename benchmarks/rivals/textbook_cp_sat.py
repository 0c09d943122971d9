"""A plain CP-SAT model, as a textbook would write it, without a plan to start from, bounds or pruning.

x[i, p]: node i owns layer p; s[i, p]: its run begins there, e[i, p]: it ends there. Layers have one owner,
a run begins at most once, a circuit over the nodes gives their order, and what a stage costs is linear in
x and s; a transfer's cost holds where its arc is chosen. Times are integers of a billionth of the longest
one, memory in units of which the largest node has at most 2^40. Windows, deadlines and budgets are not in
the model: a plan that breaks one is no plan. Of large networks the model gets the fastest and
the best connected nodes, as many as make 200,000 pairs of nodes x layers.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from benchmarks.rivals.split import Split, best_feasible
from benchmarks.rivals.stage_costs import Floats, StageCosts
from edgeplan.models.layer_assignment import LayerAssignment, Plan

_MOST_TERMS = 200_000  # nodes x nodes x layers
_LONGEST = 1e9
_MOST_UNITS = 2**40
_WORKERS = 2
_NOISE = 1e-4  # of float sums, in units
_ROUNDING = 100_000  # more than what rounding every coefficient up can add


def plan(problem: LayerAssignment, *, time_limit_s: float = 60.0) -> Plan | None:
    """Return the best plan that CP-SAT finds within the limit; None where it has none.

    OR-Tools and HiGHS cannot be imported into one process, so call this in a process of its own.
    """
    from ortools.sat.python import cp_model

    costs = StageCosts(problem)
    if not costs.workers:
        return None
    until = time.monotonic() + 0.9 * time_limit_s
    model = _Model(costs, _chosen(costs), cp_model.CpModel())
    model.build()
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = max(0.1, until - time.monotonic())
    solver.parameters.num_workers = _WORKERS
    if solver.solve(model.cp) not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return None
    return best_feasible(problem, [model.split(solver)])


def _chosen(costs: StageCosts) -> list[int]:
    """Every node where there are few, else the fastest and the best connected."""
    most = math.isqrt(_MOST_TERMS // costs.num_positions)
    fastest, connected = costs.rankings()
    first = dict.fromkeys([*fastest[: most // 2], *connected[: most // 2], *fastest])
    return sorted([*first][:most])


def linear_terms(table: Floats) -> tuple[Floats, Floats]:
    """Split a table over runs into what counts at the start and what each layer adds.

    Parameters
    ----------
    table
        Shape [start, end], with ``table[a, b] == begin[a] + sum(each[a:b])``, or [start, 1] where only the
        start counts.

    Examples
    --------
    >>> linear_terms(np.array([[np.inf, 3.0, 5.0], [np.inf, np.inf, 4.0]]))
    (array([0., 2.]), array([3., 2.]))
    """
    if table.shape[1] == 1:
        return table[:, 0], np.zeros(len(table))
    places = np.arange(1, len(table))
    single = table[np.arange(len(table)), np.arange(1, len(table) + 1)]
    each = np.concatenate([single[:1], table[places - 1, places + 1] - single[:-1]])
    return single - each, each


def _longest(table: Floats) -> float:
    return float(np.max(table, where=np.isfinite(table), initial=0.0))


@dataclass
class _Model:
    """The model of one instance.

    Parameters
    ----------
    costs
        The instance's figures.
    nodes
        Indices of the nodes in the model.
    cp
        A fresh ``CpModel``.
    """

    costs: StageCosts
    nodes: list[int]
    cp: Any
    _objective: list[Any] = field(default_factory=list)

    @property
    def problem(self) -> LayerAssignment:
        return self.costs.problem

    @cached_property
    def places(self) -> range:
        return range(len(self.nodes))

    @cached_property
    def positions(self) -> range:
        return range(self.costs.num_positions)

    @cached_property
    def units_per_s(self) -> float:
        """Integer units of a second."""
        whole = [float(self.costs.seconds(node)[0, -1]) for node in self.nodes]
        return _LONGEST / (
            max(*whole, *(_longest(self.costs.arrival_s(*ends)) for ends in self.hops), 0) or 1
        )

    @cached_property
    def unit_bytes(self) -> int:
        """Bytes of a unit of memory."""
        nodes = self.problem.instance.network.nodes
        return math.ceil(max(nodes[node].memory_bytes for node in self.nodes) / _MOST_UNITS)

    @cached_property
    def hops(self) -> list[tuple[int | None, int]]:
        """Pairs of nodes, or each node alone with a server."""
        if self.problem.server is not None:
            return [(None, node) for node in self.nodes]
        return [(a, b) for a in self.nodes for b in self.nodes if a != b]

    def build(self) -> None:
        """Add all variables and constraints, then the objective."""
        self._runs()
        self._order()
        self._limits()
        self._memory()
        self._compute()
        self._transfers()
        self._bottleneck()
        self.cp.minimize(sum(self._objective))

    def _bools(self, name: str) -> list[list[Any]]:
        return [[self.cp.new_bool_var(f"{name}{i},{p}") for p in self.positions] for i in self.places]

    def _runs(self) -> None:  # (1)
        self.x, self.s, self.e = self._bools("x"), self._bools("s"), self._bools("e")
        self.used = [self.cp.new_bool_var(f"used{i}") for i in self.places]
        self.begin = [self.cp.new_int_var(0, len(self.positions), f"begin{i}") for i in self.places]
        self.end = [self.cp.new_int_var(0, len(self.positions), f"end{i}") for i in self.places]
        last = self.positions[-1]
        for p in self.positions:
            self.cp.add_exactly_one(self.x[i][p] for i in self.places)
        for i in self.places:
            x, s, e = self.x[i], self.s[i], self.e[i]
            for p in self.positions:
                self.cp.add(s[p] >= x[p] - (x[p - 1] if p else 0))
                self.cp.add(e[p] >= x[p] - (x[p + 1] if p < last else 0))
                self.cp.add_implication(s[p], x[p])
                self.cp.add_implication(e[p], x[p])
            self.cp.add(sum(s) == self.used[i])
            self.cp.add(sum(e) == self.used[i])
            self.cp.add(self.begin[i] == sum(p * s[p] for p in self.positions))
            self.cp.add(self.end[i] == sum((p + 1) * e[p] for p in self.positions))

    def _order(self) -> None:  # (2), (3)
        """A circuit over the nodes: through a depot, or closed where the first stage follows the last."""
        self.is_cycle = not self.problem.is_pipeline and self.problem.server is None
        self.arc = {
            (i, j): self.cp.new_bool_var(f"arc{i},{j}") for i in self.places for j in self.places if i != j
        }
        self.alone = [self.cp.new_bool_var(f"alone{i}") for i in self.places]
        skipped = [self.cp.new_bool_var(f"skipped{i}") for i in self.places]
        depot = len(self.nodes)
        arcs = [(i, j, arc) for (i, j), arc in self.arc.items()] + [(i, i, skipped[i]) for i in self.places]
        for i in self.places:
            if not self.is_cycle:
                arcs += [(depot, i, self.x[i][0]), (i, depot, self.x[i][-1])]
                self.cp.add(self.alone[i] == 0)
            self.cp.add(skipped[i] + self.used[i] - self.alone[i] == 1)
            self.cp.add(sum(self.x[i]) == self.costs.num_positions).only_enforce_if(self.alone[i])
        self.cp.add_circuit(arcs)
        for (i, j), arc in self.arc.items():
            self._follows(i, j, arc)

    def _follows(self, i: int, j: int, arc: Any) -> None:
        chosen = [arc, self.x[j][0].negated()] if self.is_cycle else [arc]
        self.cp.add(self.begin[j] == self.end[i]).only_enforce_if(chosen)
        if self.is_cycle:
            self.cp.add_implication(arc, self.x[i][-1]).only_enforce_if(self.x[j][0])
        if self.problem.instance.node_order == "given" and i > j:
            self.cp.add(sum(chosen) < len(chosen)) if not self.is_cycle else self.cp.add_bool_or(
                [arc.negated(), self.x[j][0]]
            )

    def _limits(self) -> None:  # (3)
        limits, network = self.problem.instance.limits, self.problem.instance.network
        self.cp.add(sum(self.used) >= limits.min_nodes)
        if limits.max_nodes is not None:
            self.cp.add(sum(self.used) <= limits.max_nodes)
        samples = [network.nodes[node].num_samples for node in self.nodes]
        self.cp.add(sum(n * used for n, used in zip(samples, self.used, strict=True)) >= limits.min_samples)
        for i, node in enumerate(self.nodes):
            if limits.max_layers_per_node is not None:
                self.cp.add(sum(self.x[i]) <= limits.max_layers_per_node)
            for position in self.costs.kept_from(network.nodes[node].id):
                self.cp.add(self.x[i][position] == 0)

    def _weighed(self, i: int, table: Floats, unit: float) -> Any:
        """The figure of node i's stage as a linear expression, each coefficient rounded up."""
        begin, each = (
            np.ceil(terms * unit - _NOISE).astype(np.int64).tolist() for terms in linear_terms(table)
        )
        return sum(a * s + b * x for a, s, b, x in zip(begin, self.s[i], each, self.x[i], strict=True))

    def _memory(self) -> None:  # (4), (9)
        for i, node in enumerate(self.nodes):
            budget = self.problem.instance.network.nodes[node].memory_bytes // self.unit_bytes
            if not self.problem.is_pipeline:
                self.cp.add(self._weighed(i, self.costs.memory_of_runs(1), 1 / self.unit_bytes) <= budget)
        if self.problem.is_pipeline:
            self._pipeline_memory()

    def _pipeline_memory(self) -> None:  # (9)
        """Weights and buffers of the stage, and what its micro-batches in flight have saved."""
        figures, layers = self.problem.pipeline, self.problem.instance.model.layers
        saved, weights = self.costs.pipeline_bytes
        scale = 1 / self.unit_bytes
        buffers = [math.ceil(2 * figures.micro_batch_size * layer.output_bytes * scale) for layer in layers]
        in_flight = self._in_flight()
        for i, node in enumerate(self.nodes):
            largest = self.cp.new_int_var(0, max(buffers), f"buffer{i}")
            for p in self.positions:
                self.cp.add(largest >= buffers[p] * self.x[i][p])
                if p:
                    self.cp.add(largest >= buffers[p - 1] * self.s[i][p])
            budget = self.problem.instance.network.nodes[node].memory_bytes // self.unit_bytes
            for count, holds in in_flight[i].items():
                held = self._weighed(i, count * saved + weights, scale) + largest
                self.cp.add(held <= budget).only_enforce_if(holds)

    def _in_flight(self) -> list[dict[int, Any]]:
        """For each node, whether so many micro-batches are in flight: one more than behind it, at most N."""
        most, kind = self.problem.instance.micro_batches, self.problem.instance.in_flight
        if kind == "gpipe" or not self.problem.pipeline.is_training:
            return [{most: True} for _ in self.places]
        flights = [
            {count: self.cp.new_bool_var(f"flight{i},{count}") for count in range(1, most + 1)}
            for i in self.places
        ]
        for flight in flights:
            self.cp.add_exactly_one(flight.values())
        for (i, j), arc in self.arc.items():
            for count, holds in flights[j].items():
                self.cp.add_implication(arc, flights[i][min(count + 1, most)]).only_enforce_if(holds)
        return flights

    def _compute(self) -> None:  # (5), (10)
        weights, network = self.problem.instance.objective, self.problem.instance.network
        times = self.problem.instance.micro_batches if self.problem.is_pipeline else 1
        self.seconds = []
        for i, node in enumerate(self.nodes):
            here, table = network.nodes[node], self.costs.seconds(node)
            self.seconds.append(self._weighed(i, table, self.units_per_s))
            each = weights.energy_j * here.compute_power_w + weights.price * here.price_per_s
            rate = weights.time_s + times * each
            if rate > 0:
                self._objective.append(self._weighed(i, table, rate * self.units_per_s))

    def _transfers(self) -> None:  # (6), (8), (10), (11)
        """Cost and time of what a stage brings with it, by the arc that leads to it."""
        self.before = [0 for _ in self.places]
        self.after = [0 for _ in self.places]
        if self.problem.server is not None:
            for i, node in enumerate(self.nodes):
                self._objective.append(
                    self._weighed(i, self.costs.arrival_cost(None, node), self.units_per_s)
                )
            return
        dearest = max((_longest(self.costs.arrival_cost(*ends)) for ends in self.hops), default=0.0)
        most = math.ceil(dearest * self.units_per_s) + _ROUNDING
        cost = [self.cp.new_int_var(0, most, f"transfer{i}") for i in self.places]
        self.before = [self.cp.new_int_var(0, int(2 * _LONGEST), f"before{i}") for i in self.places]
        self.after = [self.cp.new_int_var(0, int(2 * _LONGEST), f"after{i}") for i in self.places]
        self._objective += cost
        for (i, j), arc in self.arc.items():
            ends = self.nodes[i], self.nodes[j]
            weighed = self._weighed(j, self.costs.arrival_cost(*ends), self.units_per_s)
            self.cp.add(cost[j] >= weighed).only_enforce_if(arc)
            if self.problem.is_pipeline:
                link = self._weighed(j, self.costs.arrival_s(*ends), self.units_per_s)
                self.cp.add(self.before[j] >= link).only_enforce_if(arc)
                if not self.problem.instance.overlap:
                    self.cp.add(self.after[i] >= link).only_enforce_if(arc)

    def _bottleneck(self) -> None:  # (7), (11)
        weights = self.problem.instance.objective
        rate = weights.bottleneck_s
        if self.problem.is_pipeline:
            rate += weights.time_s * (self.problem.instance.micro_batches - 1)
        if rate == 0:
            return
        slowest = self.cp.new_int_var(0, int(6 * _LONGEST), "bottleneck")
        together = self.problem.is_pipeline and not self.problem.instance.overlap
        for i in self.places:
            if together:
                self.cp.add(slowest >= self.before[i] + self.seconds[i] + self.after[i])
            else:
                self.cp.add(slowest >= self.seconds[i])
                self.cp.add(slowest >= self.before[i])
        self._objective = [1_000 * term for term in self._objective]
        self._objective.append(math.ceil(1_000 * rate) * slowest)

    def split(self, solver: Any) -> Split:
        """Read the split from the solver's values."""
        owner = [next(i for i in self.places if solver.boolean_value(self.x[i][p])) for p in self.positions]
        ends = [p + 1 for p in self.positions if p == self.positions[-1] or owner[p + 1] != owner[p]]
        return Split(tuple(self.nodes[owner[end - 1]] for end in ends), tuple(ends))
