"""CP-SAT on the circulation programme, in a process of its own (see `Circulation.job`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ortools.sat.python import cp_model

from edgeplan.solvers.backend_process import Job, Message, serve
from edgeplan.solvers.cp_sat_engine import STATUS, Reporter, engine_of


class _Programme:
    """The model of one job: a Boolean a step, and what the windows need."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.model = cp_model.CpModel()
        self.num_steps = len(job["start"])
        self.step = [self.model.new_bool_var(f"step{k}") for k in range(self.num_steps)]
        self.objective = cp_model.LinearExpr.weighted_sum(self.step, job["cost"])
        self._steps_at: dict[tuple[str, int, int], list[int]] = {}
        for k in range(self.num_steps):
            sender, node = job["sender"][k], job["node"][k]
            self._put("out", job["start"][k], sender, k)
            alone = job["cyclic"] and sender < 0
            self._put("in", job["end"][k], sender if alone else job["class_of"][node], k)

    def _put(self, side: str, position: int, sender: int, k: int) -> None:
        self._steps_at.setdefault((side, position, sender), []).append(k)

    def build(self) -> None:
        """Add every constraint, then the objective."""
        self._one_walk()
        self._node_at_most_once()
        self._counts_and_samples()
        self._within_budgets()
        if self.job["order_matters"]:
            self._nodes_in_given_order()
        if self.job["tail_limits"] is not None:
            self._stages_to_the_end()
        if self.job["peak"]:
            self.objective = self.objective + self._largest(self.job["peak"])
        if self.job["windows"] is not None:
            self._compute_within_windows()
        for steps in self.job["excluded"]:
            self.model.add_bool_or([self.step[k].negated() for k in steps])
        if self.job.get("minimise", True):
            self.model.minimize(self.objective)
        for k in range(self.num_steps if self.job["hint"] else 0):
            self.model.add_hint(self.step[k], k in set(self.job["hint"]))

    def _sum(self, steps: list[int]) -> Any:
        return cp_model.LinearExpr.sum([self.step[k] for k in steps])

    def _one_walk(self) -> None:
        """What arrives in a state leaves it, and each position is crossed once.

        In a circulation position n meets position 0; a path has free ends.
        """
        n = self.job["positions"]
        classes = {sender for _, _, sender in self._steps_at}
        for position in range(1, n + 1 if self.job["cyclic"] else n):
            for sender in classes:
                arriving = self._steps_at.get(("in", position, sender), [])
                leaving = self._steps_at.get(("out", position % n, sender), [])
                if arriving or leaving:
                    self.model.add(self._sum(arriving) == self._sum(leaving))
        for position in range(n):
            crossing = [
                k for k in range(self.num_steps) if self.job["start"][k] <= position < self.job["end"][k]
            ]
            self.model.add_exactly_one(self.step[k] for k in crossing)

    def _steps_by_node(self) -> dict[int, list[int]]:
        by_node: dict[int, list[int]] = {}
        for k, node in enumerate(self.job["node"]):
            by_node.setdefault(node, []).append(k)
        return by_node

    def _node_at_most_once(self) -> None:  # (2)
        for steps in self._steps_by_node().values():
            self.model.add_at_most_one(self.step[k] for k in steps)

    def _counts_and_samples(self) -> None:  # (3)
        everything = cp_model.LinearExpr.sum(self.step)
        self.model.add(everything >= self.job["min_nodes"])
        if self.job["max_nodes"] is not None:
            self.model.add(everything <= self.job["max_nodes"])
        if self.job["min_samples"] > 0:
            least = self.job["min_samples"]
            held = [min(self.job["samples"][node], least) for node in self.job["node"]]
            self.model.add(cp_model.LinearExpr.weighted_sum(self.step, held) >= least)

    def _within_budgets(self) -> None:  # (3)
        for budget in self.job["budgets"]:
            need = cp_model.LinearExpr.weighted_sum(self.step, budget["needs"])
            if budget["peak"]:
                need = need + self._largest(budget["peak"])
            self.model.add(need <= budget["limit"])

    def _stages_to_the_end(self) -> None:
        """The chosen step has at most as many stages from it to the end as it may have."""  # (9)
        n, starts = self.job["positions"], self.job["start"]
        for position in sorted(set(starts)):
            most, behind = n - position, [k for k in range(self.num_steps) if starts[k] >= position]
            here = [k for k in behind if starts[k] == position and self.job["tail_limits"][k] < most]
            if here:
                fewer = [most - self.job["tail_limits"][k] for k in here]
                cut = cp_model.LinearExpr.weighted_sum([self.step[k] for k in here], fewer)
                self.model.add(self._sum(behind) + cut <= most)

    def _nodes_in_given_order(self) -> None:  # (3)
        """Where a node up to i crosses a position, one up to i crossed the position before."""
        nodes = sorted(set(self.job["node"]))
        for position in range(1, self.job["positions"]):
            for last in nodes[:-1]:
                self.model.add(self._crossing(position, last) <= self._crossing(position - 1, last))

    def _crossing(self, position: int, last: int) -> Any:
        return self._sum(
            [
                k
                for k in range(self.num_steps)
                if self.job["start"][k] <= position < self.job["end"][k] and self.job["node"][k] <= last
            ]
        )

    def _largest(self, rows: list[dict[str, list[int]]]) -> Any:
        """Return a variable that is at least the sum of every row."""
        most = self.job["positions"] * max(max(row["needs"]) for row in rows)
        largest = self.model.new_int_var(0, most, "peak")
        for row in rows:
            chosen = [self.step[k] for k in row["steps"]]
            self.model.add(largest >= cp_model.LinearExpr.weighted_sum(chosen, row["needs"]))
        return largest

    def _compute_within_windows(self) -> None:  # (7)
        """Time at each position, start of computing at each node; waiting is free."""
        windows, n = self.job["windows"], self.job["positions"]
        into, compute, out = windows["transfer_in"], windows["compute"], windows["transfer_out"]
        starts = [start for spans in windows["of_node"] for start, _ in spans or []]
        horizon = max(starts, default=0) + n * (max(into) + max(compute) + max(out)) + 1
        now = [self.model.new_int_var(0, horizon, f"time{p}") for p in range(n + 1)]
        self.model.add(now[0] == 0)
        for node, steps in self._steps_by_node().items():
            begin = self.model.new_int_var(0, horizon, f"begin{node}")
            for k in steps:
                start, end = self.job["start"][k], self.job["end"][k]
                self.model.add(begin >= now[start] + into[k]).only_enforce_if(self.step[k])
                self.model.add(now[end] >= begin + (compute[k] + out[k])).only_enforce_if(self.step[k])
            if windows["of_node"][node] is not None:
                self._inside_one_window(begin, steps, windows["of_node"][node], compute)
        taken = [i + c + o for i, c, o in zip(into, compute, out, strict=True)]
        self.model.add(now[n] >= cp_model.LinearExpr.weighted_sum(self.step, taken))
        if windows["deadline"] is not None:
            self.model.add(now[n] <= windows["deadline"])
        if windows["in_objective"]:
            self.objective = self.objective + now[n]

    def _inside_one_window(
        self, begin: cp_model.IntVar, steps: list[int], spans: list[list[int]], compute: list[int]
    ) -> None:
        chosen = [self.model.new_bool_var("window") for _ in spans]
        self.model.add(cp_model.LinearExpr.sum(chosen) == self._sum(steps))
        length = cp_model.LinearExpr.weighted_sum([self.step[k] for k in steps], [compute[k] for k in steps])
        for inside, (start, end) in zip(chosen, spans, strict=True):
            self.model.add(begin >= start).only_enforce_if(inside)
            self.model.add(begin + length <= end).only_enforce_if(inside)

    def told(self, found: Any) -> Message:
        """Chosen steps and bound of a solution."""
        chosen = [k for k, step in enumerate(self.step) if found.boolean_value(step)]
        return {"chosen": chosen, "bound": found.best_objective_bound}


def solve(job: Job, send: Callable[[Message], None]) -> Message:
    """Solve one job; the final message has status, bound in integer units and the chosen steps."""
    if not job["start"]:
        return {"status": "infeasible"}
    programme = _Programme(job)
    programme.build()
    engine = engine_of(job)
    engine.best_bound_callback = lambda bound: send({"bound": bound})
    status = STATUS[engine.solve(programme.model, Reporter(programme.told, send))]
    if status in ("optimal", "feasible"):
        return {"status": status, **programme.told(engine)}
    if status == "unknown":
        return {"status": status, "bound": engine.best_objective_bound}
    return {"status": status}


if __name__ == "__main__":
    serve(solve)
