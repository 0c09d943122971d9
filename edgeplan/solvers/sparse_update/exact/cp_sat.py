"""The exact solver on CP-SAT."""

from __future__ import annotations

from dataclasses import dataclass

from edgeplan.models.result import Result
from edgeplan.models.sparse_update import SparseUpdate
from edgeplan.solvers.backend_process import BackendProcess
from edgeplan.solvers.exact import CpSatSettings
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.search import Ending, OnIncumbent
from edgeplan.solvers.sparse_update.exact.programme import CP_SAT
from edgeplan.solvers.sparse_update.exact.proof import prove
from edgeplan.solvers.sparse_update.search import Search, run_search


@dataclass(frozen=True)
class CpSat(CpSatSettings):
    """Exact for up to 12 devices, or 8 where layers are many; more are planned for by prices."""

    def solve(
        self, problem: SparseUpdate, limits: SolveLimits, on_incumbent: OnIncumbent | None = None
    ) -> Result:
        """Return a proven optimum, or the best plan and bound at the limit."""
        return run_search(self._body, problem, limits, self.info(limits), on_incumbent)

    def _body(self, search: Search) -> Ending:
        with BackendProcess(CP_SAT) as process:
            return prove(search, process, polish=self.polish)
