"""Feasibility of instances with limits lifted, and the least that a plan needs of a lifted limit.

Where neither times nor costs are limited, transfers are left out and the programme is small. Where one
cost is limited, it becomes the objective: its bound proves infeasibility and prunes the steps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.solvers.backend_process import BackendProcess, BackendTimeoutError, Job
from edgeplan.solvers.layer_assignment.bounds.relaxation import Relaxation
from edgeplan.solvers.layer_assignment.bounds.walks import OutOfTimeError
from edgeplan.solvers.layer_assignment.candidates import candidates
from edgeplan.solvers.layer_assignment.circulation.circulation import Circulation
from edgeplan.solvers.layer_assignment.circulation.exact_search import (
    LIMIT_OF_TERM,
    prove,
    steps_within_budgets,
)
from edgeplan.solvers.layer_assignment.heuristic.heuristic import QUICK, construct_and_improve
from edgeplan.solvers.layer_assignment.infeasible.named_limits import NamedLimit
from edgeplan.solvers.layer_assignment.search import Search
from edgeplan.solvers.layer_assignment.steps.arcs import Arcs
from edgeplan.solvers.layer_assignment.steps.pipeline_table import PipelineTable
from edgeplan.solvers.layer_assignment.steps.route import RouteCost
from edgeplan.solvers.limits import SolveLimits


class UnansweredError(Exception):
    """The solve's limit came before an answer."""


@dataclass(frozen=True)
class Feasibility:
    """Exact answers by a warm CP-SAT process, within the limits of the solve that asks.

    Parameters
    ----------
    backend
        The process.
    limits
        Time that is left.
    """

    backend: BackendProcess
    limits: SolveLimits

    def any_plan(self, problem: LayerAssignment) -> Plan | None:
        """Return a plan that keeps all limits, or None if none exists.

        Raises
        ------
        UnansweredError
            When time runs out.
        """
        guided = _with_limited_objective(problem)
        arcs = _arcs_of(guided)
        if not arcs.num_nodes or not arcs.table.allowed.any():
            return None
        search = Search(guided, self.limits)
        until = self.limits.share(0.5, most_s=1.0)
        construct_and_improve(arcs, Relaxation(arcs), search, until=until, effort=QUICK)
        if search.plan is not None:
            return search.plan
        try:
            useful = steps_within_budgets(arcs, self.limits)
        except OutOfTimeError:
            raise UnansweredError from None
        return self._first(guided, Circulation(arcs, useful, None), {"minimise": False})

    def least(self, problem: LayerAssignment, lifted: NamedLimit) -> Plan | None:
        """Return the plan that needs least of a limit which is lifted from `problem`, or None.

        Raises
        ------
        UnansweredError
            When time runs out.
        """
        if lifted.measure is None:
            return self.any_plan(problem)
        if lifted.measure in LIMIT_OF_TERM:
            return self._cheapest(problem.replace(objective={lifted.measure: 1.0}))
        arcs = _arcs_of(problem)
        if not arcs.num_nodes or not arcs.table.allowed.any():
            return None
        if lifted.measure == "memory" and isinstance(arcs.table, PipelineTable):
            return self._least_memory(problem, lifted, arcs.table.memory_needs.tolist())
        programme = Circulation(arcs, arcs.allowed, None)
        return self._first(problem, programme, _measured_cost(programme, lifted))

    def _least_memory(self, problem: LayerAssignment, lifted: NamedLimit, needs: list[int]) -> Plan | None:
        """Return the plan that needs least memory of a node, by bisection: stages to come count in it."""
        least = self.any_plan(problem)
        if least is None:
            return None
        low, high = 0, len(needs) - 1  # with the highest there is a plan
        while low < high:
            middle = (low + high) // 2
            plan = self.any_plan(_with_memory(problem, int(lifted.path[2]), needs[middle]))
            if plan is None:
                low = middle + 1
            else:
                least, high = plan, middle
        return least

    def _cheapest(self, problem: LayerAssignment) -> Plan | None:
        """Return the proven optimum, or None if there is no plan."""
        search = Search(problem, self.limits)
        try:
            ending = prove(candidates(problem).arcs, search, self.backend, effort=QUICK)
        except BackendTimeoutError:
            raise UnansweredError from None
        if not ending.infeasible and not search.is_proven:
            raise UnansweredError
        return search.plan

    def _first(
        self, problem: LayerAssignment, programme: Circulation, members: dict[str, Any]
    ) -> Plan | None:
        """Solve the programme with other members of the job, until the problem accepts the plan."""
        excluded: list[list[int]] = []
        while True:
            job = programme.job(excluded=excluded, hint=[])
            if programme.has_windows:
                job["windows"] |= {"in_objective": False}
            final = self._final(job | members)
            if final["status"] == "infeasible":
                return None
            if final["status"] != "optimal":
                raise UnansweredError
            plan = RouteCost(programme.arcs).to_plan(programme.route(final["chosen"]))
            if problem.check(plan).feasible:
                return plan
            excluded.append(final["chosen"])

    def _final(self, job: Job) -> dict[str, Any]:
        if self.limits.remaining_s < 0.1:
            raise UnansweredError
        job |= {"time_limit_s": self.limits.remaining_s, "workers": 1, "seed": self.limits.seed, "gap": 0.0}
        try:
            return list(self.backend.messages(job, until=self.limits.deadline))[-1]
        except BackendTimeoutError:
            raise UnansweredError from None


def _with_memory(problem: LayerAssignment, node: int, num_bytes: int) -> LayerAssignment:
    """Give a node other memory."""
    network = problem.to_document()["network"]
    network["nodes"][node]["memory_bytes"] = max(num_bytes, 1)
    return problem.replace(network=network)


def _limited_terms(problem: LayerAssignment) -> list[str]:
    """Costs of the whole plan that are limited."""
    limits = problem.instance.limits
    return [term for term, limit in LIMIT_OF_TERM.items() if getattr(limits, limit) is not None]


def _with_limited_objective(problem: LayerAssignment) -> LayerAssignment:
    """Make the first limited cost the objective, or the time."""
    terms = _limited_terms(problem) or ["time_s"]
    return problem.replace(objective={terms[0]: 1.0})


def _arcs_of(problem: LayerAssignment) -> Arcs:
    """All steps; without transfers where neither limits on costs nor windows ask for them."""
    arcs = candidates(problem).arcs
    waits = arcs.is_cyclic and any(node.available_s is not None for node in arcs.candidates)
    if waits or _limited_terms(problem) or problem.server is not None:
        return arcs
    return replace(arcs, free_transfers=True)


def _measured_cost(programme: Circulation, lifted: NamedLimit) -> dict[str, Any]:
    """Members of the job that make what a plan needs of the lifted limit its objective."""
    rows, _, columns = programme.steps
    table = programme.arcs.table
    nodes = table.problem.instance.network.nodes
    zeros = [0] * len(rows)
    cost, largest = zeros, zeros
    if lifted.measure == "memory":
        mine = np.array(table.nodes)[columns] == lifted.path[2]
        cost = np.where(mine, table.memory_bytes[rows], 0).tolist()
    elif lifted.measure == "nodes":
        cost = [-1 if lifted.path[-1] == "min_nodes" else 1] * len(rows)
    elif lifted.measure == "layers":
        largest = (table.run_ends - table.run_starts)[rows].tolist()
    else:
        assert lifted.measure == "samples"
        cost = [-nodes[table.nodes[column]].num_samples for column in columns]
    return {"cost": cost, "peak": programme.largest_of(largest), "minimise": True}
