"""The solvers of each problem by name; those of one problem are imported without the others'."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any, Protocol

from edgeplan.errors import UsageError
from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.result import Result
from edgeplan.models.segment_scheduling import SegmentScheduling
from edgeplan.models.sparse_update import SparseUpdate
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.search import OnIncumbent

AUTO = "auto"


class Solver(Protocol):
    """Settings and one method; no state between calls."""

    @property
    def name(self) -> str:
        """Name on the command line."""

    def solve(self, problem: Any, limits: SolveLimits, on_incumbent: OnIncumbent | None = None) -> Result:
        """Solve one instance of the solver's problem within the limits."""


def _of_layer_assignment() -> tuple[Solver, ...]:
    from edgeplan.solvers.layer_assignment.at_size.solver import AtSize
    from edgeplan.solvers.layer_assignment.brute_force import BruteForce
    from edgeplan.solvers.layer_assignment.circulation.cp_sat import CpSat
    from edgeplan.solvers.layer_assignment.dynamic_programme import DynamicProgramme
    from edgeplan.solvers.layer_assignment.heuristic.heuristic import Heuristic
    from edgeplan.solvers.layer_assignment.milp.milp import Milp

    return CpSat(), Milp(), DynamicProgramme(), AtSize(), Heuristic(), BruteForce()


def _of_segment_scheduling() -> tuple[Solver, ...]:
    from edgeplan.solvers.segment_scheduling.dssda import (
        Dssda,
    )

    return (Dssda(),)


def _of_sparse_update() -> tuple[Solver, ...]:
    from edgeplan.solvers.sparse_update.exact.cp_sat import CpSat
    from edgeplan.solvers.sparse_update.exact.milp import Milp
    from edgeplan.solvers.sparse_update.lagrangian import Lagrangian
    from edgeplan.solvers.sparse_update.separate import Separate

    return Lagrangian(), CpSat(), Milp(), Separate()


_SOLVERS_OF = {
    LayerAssignment.name: _of_layer_assignment,
    SegmentScheduling.name: _of_segment_scheduling,
    SparseUpdate.name: _of_sparse_update,
}


@cache
def solvers_of(problem: str) -> dict[str, Solver]:
    """Return the solvers of a problem by name, imported on the first call."""
    return {solver.name: solver for solver in _SOLVERS_OF[problem]()}


def solver_named(name: str, problem: str) -> Solver:
    """Return the solver of this name; ``milp:ENGINE`` is milp on one of PuLP's engines.

    Parameters
    ----------
    name
        ``auto`` or the name of one of the problem's solvers.
    problem
        Name of the problem.

    Raises
    ------
    UsageError
        When there is none.

    Examples
    --------
    >>> solver_named("milp:PULP_CBC_CMD", "layer_assignment").name
    'milp'
    """
    known = solvers_of(problem)
    if name == AUTO:
        return _auto(problem)
    kind, separator, engine = name.partition(":")
    if kind == "milp" and kind in known and separator and engine:
        return replace(known[kind], engine=engine)  # type: ignore[type-var]
    if name not in known:
        raise UsageError(f"--solver: {name!r}: must be one of {', '.join([AUTO, *known])}")
    return known[name]


def _auto(problem: str) -> Solver:
    """Return the solver that chooses by size and structure, or else the problem's first."""
    if problem != LayerAssignment.name:
        return next(iter(solvers_of(problem).values()))
    from edgeplan.solvers.layer_assignment.choice import Auto

    return Auto()
