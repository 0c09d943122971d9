"""Infeasible instances: a second reason, a smallest conflict, and what would mend it.

The conflict is found by deletion over named limits (QuickXplain, Junker 2004); every answer that it
rests on is a solve of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from edgeplan.errors import BackendError
from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.models.result import Conflict, Stop
from edgeplan.solvers.backend_process import BackendProcess, BackendTimeoutError
from edgeplan.solvers.layer_assignment.candidates import candidates
from edgeplan.solvers.layer_assignment.circulation import Circulation
from edgeplan.solvers.layer_assignment.exhaustion import has_no_plan
from edgeplan.solvers.layer_assignment.named_limits import NamedLimit, named_limits, without
from edgeplan.solvers.layer_assignment.relaxation import Relaxation
from edgeplan.solvers.layer_assignment.route import RouteCost
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.search import Ending, Search

SECOND_BACKEND = "edgeplan.solvers.layer_assignment.scipy_backend"


def explain_infeasible(programme: Circulation, search: Search, backend: BackendProcess) -> Ending:
    """Confirm that no plan exists and say which limits are to blame.

    Parameters
    ----------
    programme
        The programme over all steps, which CP-SAT found infeasible.
    backend
        The warm CP-SAT process.
    """
    reason = second_reason(programme, search.limits)
    if reason is None:
        detail = "CP-SAT finds no plan, and no second method could confirm it within the limits"
        return Ending(Stop.WORK_LIMIT, detail=detail)
    oracle = _Oracle(search.problem, backend, search.limits)
    try:
        conflicts = oracle.conflicts()
    except (BackendTimeoutError, _OutOfTimeError):
        detail = f"no plan exists ({reason}); the limit came before the conflict was found"
        return Ending(Stop.PROOF, infeasible=True, detail=detail)
    return Ending(Stop.PROOF, infeasible=True, conflicts=conflicts, detail=f"no plan exists ({reason})")


def second_reason(programme: Circulation, limits: SolveLimits) -> str | None:
    """Confirm infeasibility by other means than CP-SAT; None if they cannot."""
    relaxation = Relaxation(programme.arcs)
    if not programme.arcs.num_nodes or not math.isfinite(relaxation.first_bound()):
        return "no chain of stages covers the layers, even with nodes used twice"
    with BackendProcess(SECOND_BACKEND) as second:
        job = programme.job(excluded=[], hint=[]) | {"time_limit_s": max(0.05, limits.remaining_s - 0.1)}
        try:
            final = list(second.messages(job, until=limits.deadline - 0.1))[-1]
        except (BackendTimeoutError, BackendError):
            final = {"status": "unknown"}
    if final["status"] == "infeasible":
        return "confirmed by HiGHS"
    return "confirmed by exhaustion" if has_no_plan(programme.arcs) else None


class _OutOfTimeError(Exception):
    """The solve's limit came before an answer."""


@dataclass(frozen=True)
class _Oracle:
    """Answers about an instance with some of its limits lifted."""

    problem: LayerAssignment
    backend: BackendProcess
    limits: SolveLimits

    @cached_property
    def named(self) -> list[NamedLimit]:
        return named_limits(self.problem)

    def conflicts(self) -> tuple[Conflict, ...]:
        """A set of limits that cannot hold together, each of them needed for that."""
        if not self._infeasible([]):
            members = self._smallest([], [], self.named)
            return tuple(self._conflict(limit, members) for limit in members)
        return ()

    def _smallest(
        self, kept: list[NamedLimit], added: list[NamedLimit], open_limits: list[NamedLimit]
    ) -> list[NamedLimit]:
        """Smallest part of `open_limits` that is infeasible together with `kept` (QuickXplain)."""
        if added and self._infeasible(kept):
            return []
        if len(open_limits) == 1:
            return open_limits
        half = len(open_limits) // 2
        first, second = open_limits[:half], open_limits[half:]
        of_second = self._smallest(kept + first, first, second)
        of_first = self._smallest(kept + of_second, of_second, first)
        return of_first + of_second

    def _only(self, kept: Sequence[NamedLimit]) -> LayerAssignment:
        paths = {limit.path for limit in kept}
        return without(self.problem, [limit for limit in self.named if limit.path not in paths])

    def _infeasible(self, kept: list[NamedLimit]) -> bool:
        return self._least(self._only(kept), None) is None

    def _least(self, problem: LayerAssignment, measured: NamedLimit | None) -> Plan | None:
        """Return the plan that needs least of a lifted limit, or any plan; None if there is none."""
        arcs = candidates(problem).arcs
        if not arcs.num_nodes or not arcs.table.allowed.any():
            return None
        programme = Circulation(arcs, arcs.allowed, None)
        excluded: list[list[int]] = []
        while True:
            job = programme.job(excluded=excluded, hint=[]) | _measured_cost(programme, measured)
            final = self._final(job)
            if final["status"] == "infeasible":
                return None
            if "chosen" not in final:
                raise _OutOfTimeError
            plan = RouteCost(arcs).to_plan(programme.route(final["chosen"]))
            if problem.check(plan).feasible:
                return plan
            excluded.append(final["chosen"])

    def _final(self, job: dict[str, Any]) -> dict[str, Any]:
        if self.limits.remaining_s < 0.1:
            raise _OutOfTimeError
        job |= {"time_limit_s": self.limits.remaining_s, "workers": 1, "seed": self.limits.seed, "gap": 0.0}
        return list(self.backend.messages(job, until=self.limits.deadline))[-1]

    def _conflict(self, limit: NamedLimit, members: list[NamedLimit]) -> Conflict:
        others = [member for member in members if member.path != limit.path]
        agreeing = self._least(self._only(others), limit)
        restoring = self._least(without(self.problem, [limit]), limit)
        need = None if agreeing is None else _need(self.problem, agreeing, limit)
        change_to = None if restoring is None else _need(self.problem, restoring, limit)
        return Conflict.at(
            limit.path,
            need=need,
            have=limit.have,
            change_to=change_to,
            restores=restoring is not None,
            message=_sentence(limit, change_to, restores=restoring is not None),
        )


def _sentence(limit: NamedLimit, change_to: float | None, *, restores: bool) -> str:
    if not restores:
        return f"{limit.text}; changing this alone does not help"
    if limit.measure is None:
        return f"{limit.text}; dropping this alone restores feasibility"
    return f"{limit.text}; {change_to} would restore feasibility"


def _need(problem: LayerAssignment, plan: Plan, limit: NamedLimit) -> float | None:
    """What the plan needs of the limit, by the problem's own arithmetic."""
    if limit.measure is None:
        return None
    cost = problem.cost(plan)
    if limit.measure == "memory":
        node = limit.path[2]
        return next((visit.memory_bytes for visit in cost.visits if visit.visit.node == node), limit.have)
    nodes = [problem.instance.network.nodes[visit.visit.node] for visit in cost.visits]
    needs: dict[str, float | None] = {
        "nodes": len(cost.visits),
        "layers": max(len(visit.visit.own_layers) for visit in cost.visits),
        "samples": sum(node.num_samples for node in nodes),
        "time_s": cost.time_s,
        "energy_j": cost.energy_j,
        "price": cost.price,
    }
    return needs[limit.measure]


def _measured_cost(programme: Circulation, limit: NamedLimit | None) -> dict[str, Any]:
    """Members of the job that make the measure of the limit its objective."""
    rows, _, columns = programme.steps
    table = programme.arcs.table
    zeros = [0] * len(rows)
    job: dict[str, Any] = {"cost": zeros, "bottleneck": zeros, "minimise": limit is not None}
    if programme.has_windows:
        job["windows"] = programme.job(excluded=[], hint=[])["windows"] | {"in_objective": False}
    if limit is None or limit.measure is None:
        return job | {"minimise": False}
    if limit.measure == "memory":
        mine = np.array(table.nodes)[columns] == limit.path[2]
        return job | {"cost": np.where(mine, table.memory_bytes[rows], 0).tolist()}
    if limit.measure == "nodes":
        sign = -1 if limit.path[-1] == "min_nodes" else 1
        return job | {"cost": [sign] * len(rows)}
    if limit.measure == "layers":
        return job | {"bottleneck": (table.run_ends - table.run_starts)[rows].tolist()}
    if limit.measure == "samples":
        nodes = table.problem.instance.network.nodes
        return job | {"cost": [-nodes[table.nodes[column]].num_samples for column in columns]}
    return job | programme.term_cost(limit.measure)
