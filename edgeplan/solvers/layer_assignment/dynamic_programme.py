"""The exact solver by dynamic programming, for nodes in given order, of few types, or few in number.

One label-setting programme covers the three: a state is (position, last node, used nodes by type).
Nodes of equal figures are one type, types that cannot run out need no count, and where the order is
given the last node says which nodes are left. A round with peers is solved once for each group that its
last node may belong to, which closes the cycle exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from edgeplan.errors import BackendError, UsageError
from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.result import Result, SolverInfo, Stop
from edgeplan.solvers.layer_assignment.at_size.no_chain import has_no_chain
from edgeplan.solvers.layer_assignment.bounds.walks import OutOfTimeError
from edgeplan.solvers.layer_assignment.candidates import candidates
from edgeplan.solvers.layer_assignment.infeasible.infeasibility import explain_by_cp_sat
from edgeplan.solvers.layer_assignment.label_setting.node_types import NodeTypes
from edgeplan.solvers.layer_assignment.label_setting.proving import closings_of, ending_of
from edgeplan.solvers.layer_assignment.label_setting.pruning import settle
from edgeplan.solvers.layer_assignment.label_setting.states import States
from edgeplan.solvers.layer_assignment.label_setting.walk import Walk
from edgeplan.solvers.layer_assignment.search import Search, run_search
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.search import Ending, OnIncumbent

MAX_TYPES = 2_000
MAX_STEPS = 4_000_000  # runs x types


@dataclass(frozen=True)
class DynamicProgramme:
    """Exact where the states are few; refuses other instances.

    Parameters
    ----------
    polish
        Whether the heuristic runs first, whose plan bounds the labels.
    """

    polish: bool = True

    name: ClassVar[str] = "dp"

    def solve(
        self, problem: LayerAssignment, limits: SolveLimits, on_incumbent: OnIncumbent | None = None
    ) -> Result:
        """Return a proven optimum, or the best plan at the limit, or a proven conflict.

        Raises
        ------
        UsageError
            When there are too many types of nodes, or of steps.
        """
        states = _states_or_refusal(problem)
        info = SolverInfo(
            name=self.name, version="1", seed=limits.seed, workers=1, options={"polish": self.polish}
        )

        def body(search: Search) -> Ending:
            try:
                return self._search(search, states)
            except OutOfTimeError:
                return Ending(Stop.TIME_LIMIT)
            except BackendError as error:
                return Ending(Stop.ERROR, detail=str(error))

        return run_search(body, problem, limits, info, on_incumbent)

    def _search(self, search: Search, states: States) -> Ending:
        ending = _run(search, states, polish=self.polish)
        return _explained(search) if ending.infeasible else ending


def states_of(problem: LayerAssignment) -> States | None:
    """States of the dynamic programme; None where there are too many types of nodes to tell."""
    types = NodeTypes.of(problem, at_most=MAX_TYPES)
    num_runs = len(problem.figures.own) * (len(problem.figures.own) + 1) // 2
    if types is None or len(types) * max(num_runs, types.num_groups) > MAX_STEPS:
        return None
    return States(Walk(problem, types))


def _states_or_refusal(problem: LayerAssignment) -> States:
    states = states_of(problem)
    if states is None:
        n, num_nodes = len(problem.figures.own), len(problem.instance.network.nodes)
        raise UsageError(
            f"--solver dp: {n} layers on {num_nodes} nodes of more than {MAX_TYPES} types, or of more than "
            f"{MAX_STEPS} pairs of a run and a type, are too many; use --solver auto"
        )
    return states


def _run(search: Search, states: States, *, polish: bool) -> Ending:
    """Search walks closing by closing, the most promising first."""
    walk = states.walk
    if not len(walk.types):
        return Ending(Stop.PROOF, infeasible=True)
    closings = closings_of(search, walk)
    settle(search, states, closings, polish=polish)
    return ending_of(closings, search)


def _explained(search: Search) -> Ending:
    """Confirm that no plan exists by other means, and let the common search for conflicts say why."""
    chosen = candidates(search.problem)
    if chosen.complete:
        return explain_by_cp_sat(chosen.arcs, search)
    if has_no_chain(search.problem):
        return Ending(Stop.PROOF, infeasible=True, detail="no chain of runs fits the nodes, even used twice")
    return Ending(Stop.WORK_LIMIT, detail="no walk keeps the limits; too many steps for a second method")
