"""What the exact solvers of every problem have in common: settings, and how a proof by a back-end ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import ClassVar

from edgeplan.errors import BackendError
from edgeplan.models.result import SolverInfo, Stop
from edgeplan.solvers.backend_process import BackendTimeoutError
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.pulp_process import AUTO
from edgeplan.solvers.search import Ending


@dataclass(frozen=True)
class CpSatSettings:
    """Settings of a solver on CP-SAT.

    Parameters
    ----------
    polish
        Whether the problem's own methods go first; without them CP-SAT starts from nothing.
    """

    polish: bool = True

    name: ClassVar[str] = "cp-sat"

    def info(self, limits: SolveLimits) -> SolverInfo:
        """Say how the solver is set."""
        return SolverInfo(
            name=self.name,
            version=version("ortools"),
            seed=limits.seed,
            workers=limits.workers,
            options={"polish": self.polish},
        )


@dataclass(frozen=True)
class MilpSettings:
    """Settings of a solver on any MILP engine that PuLP knows.

    Parameters
    ----------
    engine
        PuLP's name of the engine, such as HiGHS, PULP_CBC_CMD or GUROBI; ``auto`` is HiGHS where it is
        available, else CBC.
    polish
        Whether the problem's own methods go first; without them the engine starts from nothing.
    """

    engine: str = AUTO
    polish: bool = True

    name: ClassVar[str] = "milp"

    def info(self, limits: SolveLimits) -> SolverInfo:
        """Say how the solver is set; PuLP must be there."""
        return SolverInfo(
            name=self.name,
            version=f"PuLP {version('pulp')}",
            seed=limits.seed,
            workers=limits.workers,
            options={"engine": self.engine, "polish": self.polish},
        )


def answered(prove: Callable[[], Ending]) -> Ending:
    """Run a proof by a back-end; if that is killed for its time or breaks, what was found stands unproven."""
    try:
        return prove()
    except BackendTimeoutError:
        return Ending(Stop.TIME_LIMIT)
    except BackendError as error:
        return Ending(Stop.ERROR, detail=str(error))
