"""The solver for size: plans with proven gaps on networks of very many nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.result import Result, SolverInfo, Stop
from edgeplan.solvers.layer_assignment.at_size.no_chain import has_no_chain
from edgeplan.solvers.layer_assignment.at_size.serial_search import SerialSearch
from edgeplan.solvers.layer_assignment.bounds.relaxation import Relaxation
from edgeplan.solvers.layer_assignment.candidates import candidates, fits_one_table
from edgeplan.solvers.layer_assignment.circulation.cp_sat import prove_over
from edgeplan.solvers.layer_assignment.circulation.exact_search import search_promising
from edgeplan.solvers.layer_assignment.heuristic.heuristic import FULL, construct_and_improve
from edgeplan.solvers.layer_assignment.label_setting.proving import improve_and_prove
from edgeplan.solvers.layer_assignment.pipeline_at_size.solver import improve_and_bound
from edgeplan.solvers.layer_assignment.search import Search, run_search
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.search import Ending, OnIncumbent

_SHARE_OF_SIZE, _LEAST_S, _S_PER_STEP = 0.6, 1.0, 5e-7
_FEW_RUNS = 10_000  # with more, a first beam of the heuristic takes long


@dataclass(frozen=True)
class AtSize:
    """Any number of nodes: serial by groups that split as the bound needs, pipelines by thresholds."""

    name: ClassVar[str] = "at-size"

    def solve(
        self, problem: LayerAssignment, limits: SolveLimits, on_incumbent: OnIncumbent | None = None
    ) -> Result:
        """Return the best plan with a proven bound."""
        info = SolverInfo(name=self.name, version=f"numpy {np.__version__}", seed=limits.seed, workers=1)
        return run_search(_search, problem, limits, info, on_incumbent)


def _search(search: Search) -> Ending:
    problem, limits = search.problem, search.limits
    if not fits_one_table(problem):
        ending = _by_size(search, limits.work_until)
        if ending.stop is Stop.WORK_LIMIT and not ending.infeasible and not search.is_done:
            search_promising(candidates(problem).arcs, search)
        return ending
    arcs = candidates(problem).arcs
    if not arcs.num_nodes:
        return prove_over(arcs, search, effort=None)
    most_s = _LEAST_S + _S_PER_STEP * arcs.num_steps * max(1, problem.instance.limits.min_nodes)
    ending = _by_size(search, limits.share(_SHARE_OF_SIZE, most_s=most_s))
    if search.is_done:
        return ending
    if search.plan is None or len(arcs.table.run_starts) <= _FEW_RUNS:
        until = limits.share(0.2, most_s=2.0)
        construct_and_improve(arcs, Relaxation(arcs), search, until=until, effort=FULL)
    if search.plan is not None and _adds_up(problem):
        ending = improve_and_prove(arcs, search)
        if ending.stop is not Stop.WORK_LIMIT:
            return ending
    if search.is_done:
        return ending
    return prove_over(arcs, search, effort=None)


def _adds_up(problem: LayerAssignment) -> bool:
    """Whether the objective has more than the bottleneck, which labels cannot bound."""
    weights = problem.instance.objective
    return weights.time_s > 0 or weights.energy_j > 0 or weights.price > 0


def _by_size(search: Search, until: float) -> Ending:
    """Search among any number of nodes; infeasible only where two methods say so."""
    if search.problem.is_pipeline:
        return improve_and_bound(search, until)
    ending = SerialSearch(search, until).run()
    if not ending.infeasible:
        return ending
    if has_no_chain(search.problem):
        return Ending(Stop.PROOF, infeasible=True, detail="no chain of runs fits the nodes, even used twice")
    detail = "the relaxation has no walk, and no second method confirms that no plan exists"
    return Ending(Stop.WORK_LIMIT, detail=detail)
