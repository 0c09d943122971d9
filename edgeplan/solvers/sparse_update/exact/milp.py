"""The exact solver on MILP engines: the cp-sat solver's search with any engine that PuLP knows instead."""

from __future__ import annotations

from dataclasses import dataclass

from edgeplan.models.result import Result
from edgeplan.models.sparse_update import SparseUpdate
from edgeplan.solvers.exact import MilpSettings
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.pulp_process import EngineProcess
from edgeplan.solvers.search import Ending, OnIncumbent
from edgeplan.solvers.sparse_update.exact.programme import PULP
from edgeplan.solvers.sparse_update.exact.proof import prove
from edgeplan.solvers.sparse_update.search import Search, run_search


@dataclass(frozen=True)
class Milp(MilpSettings):
    """Exact for up to 12 devices, or 8 where layers are many; more are planned for by prices."""

    def solve(
        self, problem: SparseUpdate, limits: SolveLimits, on_incumbent: OnIncumbent | None = None
    ) -> Result:
        """Return a proven optimum, or the best plan and bound at the limit.

        Raises
        ------
        MissingExtraError
            When PuLP is not installed.
        UsageError
            When PuLP cannot reach the engine.
        """
        with EngineProcess(PULP, self.engine) as process:

            def body(search: Search) -> Ending:
                ended = prove(search, process, polish=self.polish)
                if process.used is not None:
                    search.options["engine"] = process.used
                return ended

            return run_search(body, problem, limits, self.info(limits), on_incumbent)
