"""The solvers of each problem by name, and the choice that ``auto`` makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

from edgeplan.errors import UsageError
from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.result import Result
from edgeplan.solvers.layer_assignment.at_size.solver import AtSize
from edgeplan.solvers.layer_assignment.brute_force import BruteForce
from edgeplan.solvers.layer_assignment.choice import choose
from edgeplan.solvers.layer_assignment.circulation.cp_sat import CpSat
from edgeplan.solvers.layer_assignment.dynamic_programme import DynamicProgramme
from edgeplan.solvers.layer_assignment.heuristic.heuristic import Heuristic
from edgeplan.solvers.layer_assignment.milp.milp import Milp
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.search import OnIncumbent


class Solver(Protocol):
    """Settings and one method; no state between calls."""

    @property
    def name(self) -> str:
        """Name on the command line."""

    def solve(
        self, problem: LayerAssignment, limits: SolveLimits, on_incumbent: OnIncumbent | None = None
    ) -> Result:
        """Solve one instance within the limits."""


SOLVERS: dict[str, Solver] = {
    solver.name: solver
    for solver in (CpSat(), Milp(), DynamicProgramme(), AtSize(), Heuristic(), BruteForce())
}


@dataclass(frozen=True)
class Auto:
    """Takes a solver by size and structure, and says why in the result's options."""

    name: ClassVar[str] = "auto"

    def solve(
        self, problem: LayerAssignment, limits: SolveLimits, on_incumbent: OnIncumbent | None = None
    ) -> Result:
        """Solve by the chosen solver, whose name the result bears."""
        choice = choose(problem)
        result = SOLVERS[choice.solver].solve(problem, limits, on_incumbent)
        options = result.solver.options | {"auto": choice.reason}
        solver = result.solver.model_copy(update={"options": options})
        return result.model_copy(update={"solver": solver})


AUTO = Auto.name


def solver_named(name: str) -> Solver:
    """Return the solver of this name; ``milp:ENGINE`` is milp on one of PuLP's engines.

    Raises
    ------
    UsageError
        When there is none.

    Examples
    --------
    >>> solver_named("auto").name, solver_named("milp:PULP_CBC_CMD").name
    ('auto', 'milp')
    """
    kind, separator, engine = name.partition(":")
    if kind == Milp.name and separator and engine:
        return Milp(engine=engine)
    if name == AUTO:
        return Auto()
    if name not in SOLVERS:
        raise UsageError(f"--solver: {name!r}: must be one of {', '.join([AUTO, *SOLVERS])}")
    return SOLVERS[name]
