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
from edgeplan.solvers.cp_sat_engine import STATUS, Reporter, engine_of
from edgeplan.solvers.sparse_update.exact.listed_rows import rows_of

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

    def told(self, found: Any) -> Message:
        """Updates and bound of a solution."""
        updates = [k for k in range(self.job["num_updates"]) if found.value(self.column[k])]
        return {"updates": updates, "bound": self.bound(found.best_objective_bound)}


def _in_units(factors: list[float], limit: float) -> tuple[list[int], int]:
    """Factors and limit as integers that no solution of the row breaks."""
    if all(value == int(value) for value in factors):
        return [int(value) for value in factors], math.floor(limit)
    scale = _ROW_UNITS / max(map(abs, [*factors, limit]))
    return [math.floor(scale * value) for value in factors], math.ceil(scale * limit)


def solve(job: Job, send: Callable[[Message], None]) -> Message:
    """Solve one job; the final message has status and bound, those before it updates."""
    programme = _Programme(job)
    programme.build()
    engine = engine_of(job)
    engine.best_bound_callback = lambda bound: send({"bound": programme.bound(bound)})
    status = STATUS[engine.solve(programme.model, Reporter(programme.told, send))]
    if status in ("optimal", "feasible", "unknown"):
        return {"status": status, "bound": programme.bound(engine.best_objective_bound)}
    return {"status": status}


if __name__ == "__main__":
    serve(solve)
