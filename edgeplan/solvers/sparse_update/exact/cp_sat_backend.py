"""CP-SAT on the programme of `Programme.job`, in a process of its own.

All columns are 0 or 1 here. Rows of integers hold exactly; rows of floats are loosened by their rounding, so
that no plan is lost: one that then breaks a limit is refused by the problem, and excluded.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ortools.sat.python import cp_model

from edgeplan.solvers.backend_process import Job, Message, serve
from edgeplan.solvers.sparse_update.exact.listed_rows import rows_of

STATUS = {
    cp_model.OPTIMAL: "optimal",
    cp_model.FEASIBLE: "feasible",
    cp_model.INFEASIBLE: "infeasible",
    cp_model.UNKNOWN: "unknown",
    cp_model.MODEL_INVALID: "invalid",
}
_UNITS = 2**50  # that all columns together are worth
_ROW_UNITS = 2**40


class _Programme:
    """The model of one job."""

    def __init__(self, job: Job) -> None:
        self.job, self.model = job, cp_model.CpModel()
        bounds = zip(job["lower"], job["upper"], strict=True)
        self.column = [self.model.new_int_var(int(low), int(high), "") for low, high in bounds]
        self.scale = _UNITS / (sum(map(abs, job["objective"])) or 1.0)

    def build(self) -> None:
        """Add every row, then the objective."""
        for columns, factors in rows_of(self.job["links"]):
            self.model.add(self._sum(columns, [round(f) for f in factors]) == 0)
        for (columns, factors), limit in zip(
            rows_of(self.job["rows"]), self.job["rows"]["limit"], strict=True
        ):
            whole, most = _in_units(factors, limit)
            self.model.add(self._sum(columns, whole) <= most)
        for columns in self.job["excluded"]:
            self.model.add(self._changes(set(columns)) >= 1)
        worth = [round(self.scale * value) for value in self.job["objective"]]
        self.model.maximize(cp_model.LinearExpr.weighted_sum(self.column, worth))
        hint = set(self.job["hint"])
        for k in range(self.job["num_updates"] if hint else 0):
            self.model.add_hint(self.column[k], k in hint)

    def _sum(self, columns: list[int], factors: list[int]) -> Any:
        return cp_model.LinearExpr.weighted_sum([self.column[k] for k in columns], factors)

    def _changes(self, updates: set[int]) -> Any:
        """How many updates differ from these."""
        each = range(self.job["num_updates"])
        factors = [-1 if k in updates else 1 for k in each]
        return len(updates) + cp_model.LinearExpr.weighted_sum([self.column[k] for k in each], factors)

    def bound(self, units: float) -> float:
        """Bound on the objective, whatever rounding did to it."""
        return float((units + len(self.column) / 2) / self.scale + self.job["constant"])


def _in_units(factors: list[float], limit: float) -> tuple[list[int], int]:
    """Factors and limit as integers that no solution of the row breaks."""
    if all(value == int(value) for value in factors):
        return [int(value) for value in factors], math.floor(limit)
    scale = _ROW_UNITS / max(map(abs, [*factors, limit]))
    return [math.floor(scale * value) for value in factors], math.ceil(scale * limit)


class _Reporter(cp_model.CpSolverSolutionCallback):
    """Sends every better solution."""

    def __init__(self, programme: _Programme, send: Callable[[Message], None]) -> None:
        super().__init__()
        self._programme, self._send = programme, send

    def on_solution_callback(self) -> None:
        """Send the updates and the bound."""
        columns = self._programme.column[: self._programme.job["num_updates"]]
        updates = [k for k, column in enumerate(columns) if self.value(column)]
        self._send({"updates": updates, "bound": self._programme.bound(self.best_objective_bound)})


def solve(job: Job, send: Callable[[Message], None]) -> Message:
    """Solve one job; the final message has status and bound, those before it updates."""
    programme = _Programme(job)
    programme.build()
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = job["time_limit_s"]
    solver.parameters.num_workers = job["workers"]
    solver.parameters.random_seed = job["seed"]
    solver.parameters.relative_gap_limit = job["gap"]
    solver.parameters.linearization_level = 2
    solver.parameters.subsolvers.extend(["max_lp", "reduced_costs"])
    solver.best_bound_callback = lambda bound: send({"bound": programme.bound(bound)})
    status = STATUS[solver.solve(programme.model, _Reporter(programme, send))]
    message: Message = {"status": status}
    if status in ("optimal", "feasible", "unknown"):
        message["bound"] = programme.bound(solver.best_objective_bound)
    return message


if __name__ == "__main__":
    serve(solve)
