"""SciPy's HiGHS on the circulation programme without windows: a second opinion on feasibility.

It gets the programme of `Circulation.job` in a process of its own. Windows are left out, so only its
"infeasible" says something about an instance that has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_matrix

from edgeplan.solvers.backend_process import Job, Message, serve

STATUS = {0: "feasible", 1: "unknown", 2: "infeasible", 3: "invalid", 4: "unknown"}
SLACK = 1e-6  # of a budget scaled to 1: a float engine must not deny what arithmetic allows


class _Rows:
    """Rows of the constraint matrix with their lower and upper sides."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.num_steps = len(job["start"])
        self.entries: list[tuple[int, int, float]] = []
        self.sides: list[tuple[float, float]] = []

    def add(self, terms: Iterable[tuple[int, float]], lower: float, upper: float) -> None:
        """Add one row."""
        self.entries += [(len(self.sides), step, value) for step, value in terms]
        self.sides.append((lower, upper))

    def constraint(self) -> Any:
        """Return the rows as SciPy takes them."""
        rows, columns, values = zip(*self.entries, strict=True)
        shape = (len(self.sides), self.num_steps)
        lower, upper = zip(*self.sides, strict=True)
        return LinearConstraint(csr_matrix((values, (rows, columns)), shape=shape), lower, upper)

    def walk(self) -> None:
        """What arrives in a state leaves it, each position is crossed once; a path has free ends."""
        job, n = self.job, self.job["positions"]
        balance: dict[tuple[int, int], list[tuple[int, float]]] = {}
        for k in range(self.num_steps):
            sender, node = job["sender"][k], job["node"][k]
            balance.setdefault((job["start"][k], sender), []).append((k, -1.0))
            alone = job["cyclic"] and sender < 0
            arriving = sender if alone else job["class_of"][node]
            balance.setdefault((job["end"][k] % n, arriving), []).append((k, 1.0))
        for (position, _), terms in balance.items():
            if job["cyclic"] or position > 0:
                self.add(terms, 0, 0)
        for position in range(n):
            crossing = [k for k in range(self.num_steps) if job["start"][k] <= position < job["end"][k]]
            self.add([(k, 1.0) for k in crossing], 1, 1)

    def nodes_and_limits(self) -> None:
        """A node at most once, counts, samples and budgets."""
        job = self.job
        for node in set(job["node"]):
            self.add([(k, 1.0) for k in range(self.num_steps) if job["node"][k] == node], 0, 1)
        most = np.inf if job["max_nodes"] is None else job["max_nodes"]
        self.add([(k, 1.0) for k in range(self.num_steps)], job["min_nodes"], most)
        if job["min_samples"] > 0:
            least = job["min_samples"]
            held = [(k, min(1.0, job["samples"][job["node"][k]] / least)) for k in range(self.num_steps)]
            self.add(held, 1 - SLACK, np.inf)
        for budget in job["budgets"]:
            needs = [(k, need / budget["limit"]) for k, need in enumerate(budget["needs"])]
            for row in budget["peak"] or [{"steps": [], "needs": []}]:
                largest = zip(row["steps"], [need / budget["limit"] for need in row["needs"]], strict=True)
                self.add([*needs, *largest], -np.inf, 1 + SLACK)

    def stages_to_the_end(self) -> None:
        """The chosen step has at most as many stages from it to the end as it may have."""
        n, starts = self.job["positions"], self.job["start"]
        for position in set(starts):
            most, behind = n - position, [k for k in range(self.num_steps) if starts[k] >= position]
            here = [k for k in behind if starts[k] == position and self.job["tail_limits"][k] < most]
            if here:
                cut = [(k, float(most - self.job["tail_limits"][k])) for k in here]
                self.add([*[(k, 1.0) for k in behind], *cut], -np.inf, most)

    def given_order(self) -> None:
        """Where a node up to i crosses a position, one up to i crossed the position before."""
        job = self.job
        for position in range(1, job["positions"]):
            for last in sorted(set(job["node"]))[:-1]:
                terms = [(k, 1.0) for k in self._crossing(position, last)]
                terms += [(k, -1.0) for k in self._crossing(position - 1, last)]
                self.add(terms, -np.inf, 0)

    def _crossing(self, position: int, last: int) -> list[int]:
        start, end, node = self.job["start"], self.job["end"], self.job["node"]
        return [k for k in range(self.num_steps) if start[k] <= position < end[k] and node[k] <= last]


def solve(job: Job, send: Callable[[Message], None]) -> Message:
    """Say whether the programme without windows has a solution."""
    if not job["start"]:
        return {"status": "infeasible"}
    rows = _Rows(job)
    rows.walk()
    rows.nodes_and_limits()
    if job["tail_limits"] is not None:
        rows.stages_to_the_end()
    if job["order_matters"]:
        rows.given_order()
    answer = milp(
        c=np.zeros(rows.num_steps),
        integrality=np.ones(rows.num_steps),
        bounds=Bounds(0, 1),
        constraints=rows.constraint(),
        options={"time_limit": job["time_limit_s"]},
    )
    return {"status": STATUS[answer.status]}


if __name__ == "__main__":
    serve(solve)
