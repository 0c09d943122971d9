"""The exact solver on CP-SAT."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import ClassVar

from edgeplan.models.result import Result, SolverInfo
from edgeplan.models.sparse_update import SparseUpdate
from edgeplan.solvers.backend_process import BackendProcess
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.search import Ending, OnIncumbent
from edgeplan.solvers.sparse_update.exact.proof import prove
from edgeplan.solvers.sparse_update.search import Search, run_search

BACKEND = "edgeplan.solvers.sparse_update.exact.cp_sat_backend"


@dataclass(frozen=True)
class CpSat:
    """Exact for up to 12 devices, or 8 where layers are many; more are planned for by prices.

    Parameters
    ----------
    polish
        Whether prices bound, plan and prune first; without them CP-SAT starts from nothing.
    """

    polish: bool = True

    name: ClassVar[str] = "cp-sat"

    def solve(
        self, problem: SparseUpdate, limits: SolveLimits, on_incumbent: OnIncumbent | None = None
    ) -> Result:
        """Return a proven optimum, or the best plan and bound at the limit."""
        info = SolverInfo(
            name=self.name,
            version=version("ortools"),
            seed=limits.seed,
            workers=limits.workers,
            options={"polish": self.polish},
        )
        return run_search(self._body, problem, limits, info, on_incumbent)

    def _body(self, search: Search) -> Ending:
        with BackendProcess(BACKEND) as process:
            return prove(search, process, polish=self.polish)
