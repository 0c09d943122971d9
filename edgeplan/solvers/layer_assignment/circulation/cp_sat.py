"""The exact solver: heuristic plan, walk bound, proven pruning of steps, then CP-SAT on what is left."""

from __future__ import annotations

from dataclasses import dataclass

from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.result import Result
from edgeplan.solvers.backend_process import BackendProcess
from edgeplan.solvers.exact import CpSatSettings, answered
from edgeplan.solvers.layer_assignment.candidates import candidates
from edgeplan.solvers.layer_assignment.circulation.exact_search import prove, search_promising
from edgeplan.solvers.layer_assignment.heuristic.heuristic import FULL, Effort
from edgeplan.solvers.layer_assignment.infeasible.infeasibility import explain_infeasible
from edgeplan.solvers.layer_assignment.search import Search, run_search
from edgeplan.solvers.layer_assignment.steps.arcs import Arcs
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.search import Ending, OnIncumbent

BACKEND = "edgeplan.solvers.layer_assignment.circulation.cp_sat_backend"


@dataclass(frozen=True)
class CpSat(CpSatSettings):
    """Exact where all nodes fit one table of steps; otherwise a heuristic plan, honestly unproven."""

    def solve(
        self, problem: LayerAssignment, limits: SolveLimits, on_incumbent: OnIncumbent | None = None
    ) -> Result:
        """Return a proven optimum, or the best plan and bound at the limit, or a proven conflict."""
        return run_search(self._body, problem, limits, self.info(limits), on_incumbent)

    def _body(self, search: Search) -> Ending:
        chosen = candidates(search.problem)
        if not chosen.complete:
            return search_promising(chosen.arcs, search)
        return prove_over(chosen.arcs, search, effort=FULL if self.polish else None)


def prove_over(arcs: Arcs, search: Search, *, effort: Effort | None) -> Ending:
    """Prove the best plan over the steps given, or that there is none and which limits are to blame.

    Parameters
    ----------
    arcs
        Steps that every plan better than the best one known is made of.
    effort
        Of the heuristic that runs first; None for none.
    """

    def proof() -> Ending:
        ending = prove(arcs, search, backend, effort=effort)
        return explain_infeasible(arcs, search, backend) if ending.infeasible else ending

    with BackendProcess(BACKEND) as backend:
        return answered(proof)
