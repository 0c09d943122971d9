"""Any MILP engine that PuLP knows, on the programme of `Programme.job`, in a process of its own.

Engines compute in floats: what they call a plan the problem judges, and their bound is weakened by what they
may err.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import pulp

from edgeplan.solvers.backend_process import Job, Message, serve
from edgeplan.solvers.pulp_engines import available, engine_of, keep_output_clean, proven_bound, run
from edgeplan.solvers.sparse_update.exact.listed_rows import rows_of

_UNITS = 2.0**10  # that the objective is about
_LOOSENED = 1e-9  # relative: float rows must not lose a plan that just keeps a limit


class _Programme:
    """The model of one job, its objective turned to be minimised."""

    def __init__(self, job: Job) -> None:
        self.job, self.problem = job, pulp.LpProblem("sparse_update", pulp.LpMinimize)
        self.scale = _UNITS / (job["about"] or 1.0)
        bounds = zip(job["lower"], job["upper"], strict=True)
        self.column = [
            pulp.LpVariable(f"x{k}", low, high, pulp.LpInteger if k < job["num_whole"] else pulp.LpContinuous)
            for k, (low, high) in enumerate(bounds)
        ]

    def build(self) -> None:
        """Add the objective and every row."""
        worth = [-self.scale * value for value in self.job["objective"]]
        self.problem += pulp.LpAffineExpression(zip(self.column, worth, strict=True))
        for columns, factors in rows_of(self.job["links"]):
            if columns:
                self.problem += self._sum(columns, factors) == 0
        rows = zip(rows_of(self.job["rows"]), self.job["rows"]["limit"], strict=True)
        for (columns, factors), limit in rows:
            self.problem += self._sum(columns, factors) <= limit + _LOOSENED * abs(limit)
        for columns in self.job["excluded"]:
            changed = [-1 if k in set(columns) else 1 for k in range(self.job["num_updates"])]
            updates = list(range(self.job["num_updates"]))
            self.problem += self._sum(updates, changed) >= 1 - len(columns)

    def _sum(self, columns: Sequence[int], factors: Sequence[float]) -> Any:
        return pulp.LpAffineExpression([(self.column[k], f) for k, f in zip(columns, factors, strict=True)])


def solve(job: Job, send: Callable[[Message], None]) -> Message:
    """List the engines, or solve one job; the final message has status, engine, bound and updates."""
    if job.get("list"):
        return available("listed")
    began = time.monotonic()
    engine = engine_of(job)
    if engine is None:
        return available("missing")
    programme = _Programme(job)
    programme.build()
    status = run(engine, programme.problem, job, began)
    message: Message = {"status": status, "engine": engine.name}
    if status in ("optimal", "feasible"):
        columns = programme.column[: job["num_updates"]]
        message["updates"] = [k for k, column in enumerate(columns) if (column.varValue or 0) > 0.5]
        bound = proven_bound(programme.problem, status, job["gap"])
        message["bound"] = None if bound is None else job["constant"] - bound / programme.scale
    return message


if __name__ == "__main__":
    keep_output_clean()
    serve(solve)
