"""The exact solver by dynamic programming, for nodes in given order, of few types, or few in number.

One label-setting programme covers the three: a state is (position, last node, used nodes by type).
Nodes of equal figures are one type, types that cannot run out need no count, and where the order is
given the last node says which nodes are left. A round with peers is solved once for each group that its
last node may belong to, which closes the cycle exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from edgeplan.errors import BackendError, UsageError
from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.result import Result, SolverInfo, Stop
from edgeplan.solvers.layer_assignment.at_size.no_chain import has_no_chain
from edgeplan.solvers.layer_assignment.candidates import candidates
from edgeplan.solvers.layer_assignment.infeasibility import explain_by_cp_sat
from edgeplan.solvers.layer_assignment.label_setting.label_search import (
    TooManyLabelsError,
)
from edgeplan.solvers.layer_assignment.label_setting.node_types import NodeTypes
from edgeplan.solvers.layer_assignment.label_setting.offering import ceiling, offer_alone, offer_walks
from edgeplan.solvers.layer_assignment.label_setting.pruning import prepared
from edgeplan.solvers.layer_assignment.label_setting.states import States
from edgeplan.solvers.layer_assignment.label_setting.to_come import ToCome
from edgeplan.solvers.layer_assignment.label_setting.walk import Walk
from edgeplan.solvers.layer_assignment.walks import OutOfTimeError
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.search import Ending, OnIncumbent, Search, run_search

MAX_STATES = 100_000_000_000  # before bounds cut them; what is left must also fit into memory
MAX_TYPES = 2_000
MAX_STEPS = 4_000_000  # runs x types
_ROUNDING = 1e-9


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
            When there are more than ``MAX_STATES`` states.
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
        walk = states.walk
        ending = _run(search, prepared(search, states) if self.polish else ToCome(walk, walk.allowed))
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
    if states.number() > MAX_STATES:
        raise UsageError(
            f"--solver dp: about {states.number():.1e} states of position, last node and used nodes "
            f"({len(states.walk.types)} types) are more than {MAX_STATES:.0e}; use --solver auto"
        )
    return states


def _run(search: Search, to_come: ToCome) -> Ending:
    """Search walks closing by closing, the most promising first."""
    walk = to_come.walk
    if not len(walk.types):
        return Ending(Stop.PROOF, infeasible=True)
    lowest, bounds = offer_alone(search, walk), {c: to_come.bound(c) for c in walk.closings}
    order = sorted(bounds, key=bounds.__getitem__)
    for place, closing in enumerate(order):
        _raise_bound(search, min(lowest, bounds[closing]))
        if search.is_done or bounds[closing] >= ceiling(search):
            break
        try:
            lowest = min(lowest, offer_walks(search, to_come, closing))
        except TooManyLabelsError:
            detail = f"closing {place + 1} of {len(order)} needs more labels than memory should hold"
            return Ending(Stop.WORK_LIMIT, detail=f"{detail}; use --solver cp-sat")
    if search.objective is None and not math.isfinite(lowest):
        return Ending(Stop.PROOF, infeasible=True)
    _raise_bound(search, lowest)
    if search.is_done:
        return Ending(Stop.GAP)
    return Ending(Stop.WORK_LIMIT, detail="the best walk that rounding lets in breaks a limit")


def _raise_bound(search: Search, least: float) -> None:
    """Raise the bound to the least objective of a walk that is not excluded, or to the ceiling."""
    bound = min(least * (1 - _ROUNDING), ceiling(search))
    if math.isfinite(bound):
        search.raise_bound(bound)


def _explained(search: Search) -> Ending:
    """Confirm that no plan exists by other means, and let the common search for conflicts say why."""
    chosen = candidates(search.problem)
    if chosen.complete:
        return explain_by_cp_sat(chosen.arcs, search)
    if has_no_chain(search.problem):
        return Ending(Stop.PROOF, infeasible=True, detail="no chain of runs fits the nodes, even used twice")
    return Ending(Stop.WORK_LIMIT, detail="no walk keeps the limits; too many steps for a second method")
