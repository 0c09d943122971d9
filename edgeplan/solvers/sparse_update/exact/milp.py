"""The exact solver on MILP engines: the cp-sat solver's search with any engine that PuLP knows instead."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import ClassVar

from edgeplan.models.result import Result, SolverInfo
from edgeplan.models.sparse_update import SparseUpdate
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.pulp_process import AUTO, EngineProcess
from edgeplan.solvers.search import Ending, OnIncumbent
from edgeplan.solvers.sparse_update.exact.proof import prove
from edgeplan.solvers.sparse_update.search import Search, run_search

BACKEND = "edgeplan.solvers.sparse_update.exact.pulp_backend"


@dataclass(frozen=True)
class Milp:
    """Exact for up to 12 devices, or 8 where layers are many; more are planned for by prices.

    Parameters
    ----------
    engine
        PuLP's name of the engine, such as HiGHS, PULP_CBC_CMD or GUROBI; ``auto`` is HiGHS where it is
        available, else CBC.
    polish
        Whether prices bound, plan and prune first; without them the engine starts from nothing.
    """

    engine: str = AUTO
    polish: bool = True

    name: ClassVar[str] = "milp"

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
        with EngineProcess(BACKEND, self.engine) as process:
            info = SolverInfo(
                name=self.name,
                version=f"PuLP {version('pulp')}",
                seed=limits.seed,
                workers=limits.workers,
                options={"engine": self.engine, "polish": self.polish},
            )

            def body(search: Search) -> Ending:
                ended = prove(search, process, polish=self.polish)
                if process.used is not None:
                    search.options["engine"] = process.used
                return ended

            return run_search(body, problem, limits, info, on_incumbent)
