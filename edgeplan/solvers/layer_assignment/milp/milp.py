"""The exact solver on MILP engines: the cp-sat solver's search with any engine that PuLP knows instead.

The engines compute in floats. So the problem judges their plans, their bounds are weakened by what they
may err, and "infeasible" is confirmed by arithmetic or by another engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from edgeplan.errors import BackendError, UsageError
from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.result import Result, SolverInfo
from edgeplan.solvers.backend_process import BackendTimeoutError
from edgeplan.solvers.exact import MilpSettings, answered
from edgeplan.solvers.layer_assignment.candidates import candidates
from edgeplan.solvers.layer_assignment.circulation.circulation import Circulation
from edgeplan.solvers.layer_assignment.circulation.exact_search import prove, search_promising
from edgeplan.solvers.layer_assignment.heuristic.heuristic import FULL
from edgeplan.solvers.layer_assignment.infeasible.infeasibility import explain_by_cp_sat
from edgeplan.solvers.layer_assignment.milp.pulp_process import PulpProcess
from edgeplan.solvers.layer_assignment.search import Search, run_search
from edgeplan.solvers.layer_assignment.steps.arcs import Arcs
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.search import Ending, OnIncumbent

_PACKAGE = {"HiGHS": "highspy"}
_START_S = 0.5  # for another engine to be ready
_SECOND_OPINION = {"HiGHS": "PULP_CBC_CMD"}  # SciPy's HiGHS, the usual one, would be no other engine


@dataclass(frozen=True)
class Milp(MilpSettings):
    """Exact where all nodes fit one table of steps; otherwise a heuristic plan, honestly unproven."""

    def solve(
        self, problem: LayerAssignment, limits: SolveLimits, on_incumbent: OnIncumbent | None = None
    ) -> Result:
        """Return a proven optimum, or the best plan and bound at the limit, or a proven conflict.

        Raises
        ------
        MissingExtraError
            When PuLP is not installed.
        UsageError
            When PuLP cannot reach the engine.
        """
        with PulpProcess(self.engine) as process:
            info = self.info(limits)

            def body(search: Search) -> Ending:
                return self._search(search, process)

            result = run_search(body, problem, limits, info, on_incumbent)
            return result.model_copy(update={"solver": _with_engine(info, result, process.used)})

    def _search(self, search: Search, process: PulpProcess) -> Ending:
        chosen = candidates(search.problem)
        if not chosen.complete:
            return search_promising(chosen.arcs, search)
        return answered(lambda: self._proof(chosen.arcs, search, process))

    def _proof(self, arcs: Arcs, search: Search, process: PulpProcess) -> Ending:
        ending = prove(arcs, search, process, effort=FULL if self.polish else None)
        if not ending.infeasible:
            return ending
        return explain_by_cp_sat(arcs, search, reason=_second_engine(arcs, search, process.used))


def _with_engine(info: SolverInfo, result: Result, used: str | None) -> SolverInfo:
    """Say which engine worked, and its version where it is a package."""
    options = result.solver.options | ({} if used is None else {"engine": used})
    try:
        of_engine = f", {used} {version(_PACKAGE[used])}" if used in _PACKAGE else ""
    except PackageNotFoundError:
        of_engine = ""
    return result.solver.model_copy(update={"options": options, "version": info.version + of_engine})


def _second_engine(arcs: Arcs, search: Search, used: str | None) -> str | None:
    """Ask another engine whether there is any plan; None leaves the question to others."""
    other, limits = _SECOND_OPINION.get(used or ""), search.limits
    if other is None or not arcs.num_nodes or limits.remaining_s < _START_S:
        return None
    job = Circulation(arcs, arcs.allowed, None).job(excluded=[], hint=[])
    job |= {"workers": 1, "seed": limits.seed, "gap": 0.0, "time_limit_s": max(0.05, limits.remaining_s / 2)}
    try:
        with PulpProcess(other) as second:
            until = limits.deadline - limits.remaining_s / 2
            final = list(second.messages(job | {"minimise": False}, until=until))[-1]
    except (UsageError, BackendError, BackendTimeoutError):
        return None
    return f"confirmed by {other}" if final["status"] == "infeasible" else None
