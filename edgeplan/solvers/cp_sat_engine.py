"""CP-SAT as back-ends use it: how it is set, how it ended, and what it sends on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ortools.sat.python import cp_model

from edgeplan.solvers.backend_process import Job, Message

STATUS = {
    cp_model.OPTIMAL: "optimal",
    cp_model.FEASIBLE: "feasible",
    cp_model.INFEASIBLE: "infeasible",
    cp_model.UNKNOWN: "unknown",
    cp_model.MODEL_INVALID: "invalid",
}


def engine_of(job: Job) -> cp_model.CpSolver:
    """Return CP-SAT as the job sets it."""
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = job["time_limit_s"]
    solver.parameters.num_workers = job["workers"]
    solver.parameters.random_seed = job["seed"]
    solver.parameters.relative_gap_limit = job["gap"]
    solver.parameters.linearization_level = 2
    # The default portfolio of two workers has a weak LP: bound 592 against 1226 on opt-1.3b-24-nodes.
    solver.parameters.subsolvers.extend(["max_lp", "reduced_costs"])
    return solver


class Reporter(cp_model.CpSolverSolutionCallback):
    """Sends every better solution.

    Parameters
    ----------
    told
        What a message says of a solution.
    send
        Sends it.
    """

    def __init__(self, told: Callable[[Any], Message], send: Callable[[Message], None]) -> None:
        super().__init__()
        self._told, self._send = told, send

    def on_solution_callback(self) -> None:
        """Send the solution."""
        self._send(self._told(self))
