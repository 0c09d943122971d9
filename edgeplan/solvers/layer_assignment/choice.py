"""Which solver ``auto`` takes, and why: by the states of a dynamic programme and the size of the table.

Measured on two cores with 24 to 96 layers: where its states are few, the dynamic programme is the
fastest proof by a factor of two and more. Otherwise CP-SAT on the pruned programme proves small tables in a
second, and larger ones are first bounded by groups of nodes or thresholds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.result import Result
from edgeplan.solvers.layer_assignment.at_size.solver import AtSize
from edgeplan.solvers.layer_assignment.candidates import candidates, fits_one_table
from edgeplan.solvers.layer_assignment.circulation.cp_sat import CpSat
from edgeplan.solvers.layer_assignment.dynamic_programme import DynamicProgramme, states_of
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.registry import AUTO, solver_named
from edgeplan.solvers.search import OnIncumbent

FEW_LABELS = 5e8  # with more, CP-SAT was as fast or faster
FEWEST_LABELS = 1e7  # with more on networks too large for one table, groups of nodes come first
FEW_STEPS = 20_000  # with fewer, CP-SAT alone answers in a second


@dataclass(frozen=True)
class Choice:
    """The name of a solver, and why it was taken in one sentence."""

    solver: str
    reason: str


def choose(problem: LayerAssignment) -> Choice:
    """Take the solver that should prove an optimum soonest.

    Examples
    --------
    >>> from edgeplan.models.layer_assignment.examples import two_layers_two_nodes
    >>> choose(two_layers_two_nodes()).reason
    'nodes of 2 types make about 5 states, few for a dynamic programme'
    """
    states = states_of(problem)
    labels = float("inf") if states is None else states.effort()
    fits = fits_one_table(problem)
    if states is not None and labels <= (FEW_LABELS if fits else FEWEST_LABELS):
        what = "nodes in given order" if states.in_order else _types(len(states.walk.types))
        reason = f"{what} make about {_about(states.number())} states, few for a dynamic programme"
        return Choice(DynamicProgramme.name, reason)
    if fits and candidates(problem).arcs.num_steps <= FEW_STEPS:
        return Choice(CpSat.name, "too many states for a dynamic programme, and all steps fit one table")
    if fits:
        return Choice(
            AtSize.name,
            "many steps: groups or thresholds bound them, and an exact search settles the rest",
        )
    return Choice(AtSize.name, "too many states for a dynamic programme and too many steps for one table")


@dataclass(frozen=True)
class Auto:
    """Takes a solver by size and structure, and says why in the result's options."""

    name: ClassVar[str] = AUTO

    def solve(
        self, problem: LayerAssignment, limits: SolveLimits, on_incumbent: OnIncumbent | None = None
    ) -> Result:
        """Solve by the chosen solver, whose name the result bears."""
        choice = choose(problem)
        result = solver_named(choice.solver, problem.name).solve(problem, limits, on_incumbent)
        options = result.solver.options | {"auto": choice.reason}
        solver = result.solver.model_copy(update={"options": options})
        return result.model_copy(update={"solver": solver})


def _types(number: int) -> str:
    return "nodes of one type" if number == 1 else f"nodes of {number} types"


def _about(number: int) -> str:
    return str(number) if number < 10_000 else f"{number:.1e}".replace("e+0", "e").replace("e+", "e")
