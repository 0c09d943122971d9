"""The integer programme of `Circulation.job` as a PuLP problem, its rows named after their constraints.

Time (7) needs no big-M but one row a position: where no stage ends, the time of a position is that of
the stage that covers it, so times rise from position to position and every stage moves the next one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pulp import (
    LpAffineExpression,
    LpBinary,
    LpConstraint,
    LpConstraintEQ,
    LpConstraintGE,
    LpConstraintLE,
    LpMinimize,
    LpProblem,
    LpVariable,
)

from edgeplan.solvers.backend_process import Job

Terms = Iterable[tuple[LpVariable, float]]
Peak = list[dict[str, list[int]]]


@dataclass(frozen=True)
class Units:
    """How integers of the job become coefficients.

    Parameters
    ----------
    cost
        Coefficient of one integer unit of cost.
    time
        Coefficient of one integer unit of time.
    budget
        Right-hand side of every budget; None keeps the job's ``unit``.
    slack
        Relative loosening of limits, so that rounding denies no plan.
    """

    cost: float
    time: float
    budget: float | None
    slack: float


class ContradictionError(Exception):
    """A row without variables is broken, so that there is no solution."""


class Programme:
    """The problem of one job: a binary variable a step, and what peaks and windows need.

    Parameters
    ----------
    job
        The programme as plain values, perhaps with ``names`` for a file that people read.
    units
        Scale of the coefficients.
    """

    def __init__(self, job: Job, units: Units) -> None:
        self.job, self.units = job, units
        self.num_steps = len(job["start"])
        self._steps = {key: _places(job[key]) for key in ("start", "end", "node")}
        self.names = job.get("names") or _numbers(job)
        self.problem = LpProblem(self.names["title"], LpMinimize)
        self.step = [LpVariable(name, cat=LpBinary) for name in self.names["steps"]]
        self._objective: dict[LpVariable, float] = {}

    def build(self) -> LpProblem:
        """Add every constraint, then the objective.

        Raises
        ------
        ContradictionError
            When no step can keep a row.
        """
        job = self.job
        self._cost(zip(self.step, (self.units.cost * cost for cost in job["cost"]), strict=True))
        self._one_walk()
        self._node_at_most_once()
        self._counts()
        self._samples()
        self._within_budgets()
        self._nodes_in_given_order()
        self._stages_to_the_end()
        if job["peak"]:
            self._cost([(self._largest("peak", job["peak"], self.units.cost), 1.0)])
        if job["windows"] is not None:
            self._compute_within_windows()
        for number, steps in enumerate(job["excluded"]):
            self._row(f"excluded_{number}", ((self.step[k], 1) for k in steps), "<=", len(steps) - 1)
        objective = self._objective if job.get("minimise", True) else {}
        self.problem.setObjective(LpAffineExpression(objective, name="objective"))
        return self.problem

    def _cost(self, terms: Terms) -> None:
        for variable, coefficient in terms:
            self._objective[variable] = self._objective.get(variable, 0.0) + coefficient

    def _row(self, name: str, terms: Terms, sense: str, side: float) -> None:
        """Add one row; coefficients of one variable add up, and a row that always holds is left out."""
        sums: dict[LpVariable, float] = defaultdict(float)
        for variable, coefficient in terms:
            sums[variable] += coefficient
        kept = {variable: value for variable, value in sums.items() if value}
        if kept:
            row = LpConstraint(LpAffineExpression(kept), _SENSE[sense], name, side)
            self.problem.addConstraint(row)
        elif not {"=": side == 0, "<=": side >= 0, ">=": side <= 0}[sense]:
            raise ContradictionError(name)

    def _one_walk(self) -> None:  # (1)
        """One step begins the walk, and what arrives in a state leaves it.

        In a circulation position n meets position 0; a path has free ends.
        """
        job, n = self.job, self.job["positions"]
        self._row("begin_once", ((self.step[k], 1) for k in self._steps["start"][0]), "=", 1)
        balance: dict[tuple[int, int], list[tuple[LpVariable, float]]] = defaultdict(list)
        for k in range(self.num_steps):
            sender = job["sender"][k]
            alone = job["cyclic"] and sender < 0
            arriving = sender if alone else job["class_of"][job["node"][k]]
            balance[job["start"][k], sender].append((self.step[k], -1))
            balance[job["end"][k] % n, arriving].append((self.step[k], 1))
        for (position, sender), terms in sorted(balance.items(), key=lambda item: item[0]):
            if position > 0 or job["cyclic"]:
                self._row(f"balance_{self._at(position)}_{self._class(sender)}", terms, "=", 0)

    def _at(self, position: int) -> str:
        return str(self.names["positions"][position])

    def _class(self, sender: int) -> str:
        return str(self.names["classes"][sender]) if sender >= 0 else "none"

    def _node(self, node: int) -> str:
        return str(self.names["nodes"][node])

    def _node_at_most_once(self) -> None:  # (2)
        for node, steps in sorted(self._steps["node"].items()):
            if len(steps) > 1:
                self._row(f"node_once_{self._node(node)}", ((self.step[k], 1) for k in steps), "<=", 1)

    def _counts(self) -> None:  # (3)
        job = self.job
        everything = [(step, 1.0) for step in self.step]
        if job["min_nodes"] > 1:
            self._row("min_nodes", everything, ">=", job["min_nodes"])
        if job["max_nodes"] is not None and job["max_nodes"] < job["positions"]:
            self._row("max_nodes", everything, "<=", job["max_nodes"])

    def _samples(self) -> None:  # (3)
        least = self.job["min_samples"]
        if least <= 0:
            return
        held = [min(self.job["samples"][node], least) for node in self.job["node"]]
        factor = 1.0 if self.units.budget is None else min(1.0, _MOST_SAMPLES / least)
        side = factor * least - (0.0 if self.units.budget is None else _SAMPLE_SLACK)
        self._row("min_samples", zip(self.step, (factor * one for one in held), strict=True), ">=", side)

    def _within_budgets(self) -> None:  # (3)
        for name, budget in zip(self.names["budgets"], self.job["budgets"], strict=True):
            scaled = self.units.budget
            factor = budget["unit"] if scaled is None else scaled / max(1, budget["limit"])
            terms = [(self.step[k], factor * need) for k, need in enumerate(budget["needs"])]
            if budget["peak"]:
                terms.append((self._largest(f"peak_of_{name}", budget["peak"], factor), 1.0))
            self._row(name, terms, "<=", factor * budget["limit"] * (1 + self.units.slack))

    def _nodes_in_given_order(self) -> None:  # (3)
        """Where a node up to i begins, one up to i has ended."""
        if not self.job["order_matters"]:
            return
        nodes = sorted(self._steps["node"])
        for position in range(1, self.job["positions"]):
            begins, ends = self._steps["start"][position], self._steps["end"][position]
            for last in nodes[:-1]:
                terms = [(self.step[k], 1.0) for k in begins if self.job["node"][k] <= last]
                terms += [(self.step[k], -1.0) for k in ends if self.job["node"][k] <= last]
                self._row(f"given_order_{self._at(position)}_{self._node(last)}", terms, "<=", 0)

    def _stages_to_the_end(self) -> None:
        """The chosen step has at most as many stages from it to the end as it may have."""  # (9)
        job, n = self.job, self.job["positions"]
        if job["tail_limits"] is None:
            return
        for position in range(n):
            most, here = n - position, self._steps["start"][position]
            fewer = [(self.step[k], most - min(most, job["tail_limits"][k])) for k in here]
            if any(cut for _, cut in fewer):
                behind = [(self.step[k], 1) for k in range(self.num_steps) if job["start"][k] >= position]
                self._row(f"stages_from_{self._at(position)}", [*behind, *fewer], "<=", most)

    def _largest(self, name: str, rows: Peak, factor: float) -> LpVariable:
        """Return a variable that is at least the sum of every row."""
        largest = LpVariable(name, lowBound=0)
        for number, row in enumerate(rows):
            needs = [(self.step[k], factor * need) for k, need in zip(*row.values(), strict=True)]
            self._row(f"{name}_{number}", [*needs, (largest, -1.0)], "<=", 0)
        return largest

    def _compute_within_windows(self) -> None:  # (7)
        """Time at each position and start of computing behind it; waiting is free."""
        job, windows, unit = self.job, self.job["windows"], self.units.time
        n, latest = job["positions"], unit * _horizon(job)
        now = [LpVariable(f"time_{self._at(p)}", lowBound=0) for p in range(n + 1)]
        now[0].upBound = 0
        if windows["deadline"] is not None:
            now[n].upBound = unit * windows["deadline"] * (1 + self.units.slack)
        for position in range(n):
            steps, at = self._steps["start"][position], self._at(position)
            begin = LpVariable(f"begin_{at}", lowBound=0)
            into = [(self.step[k], unit * windows["transfer_in"][k]) for k in steps]
            self._row(f"transfer_in_{at}", [(now[position], 1), (begin, -1), *into], "<=", 0)
            rest = [
                (self.step[k], unit * (windows["compute"][k] + windows["transfer_out"][k])) for k in steps
            ]
            self._row(f"compute_{at}", [(begin, 1), (now[position + 1], -1), *rest], "<=", 0)
            self._inside_one_window(position, begin, steps, latest)
        if windows["in_objective"]:
            self._cost([(now[n], self.units.cost / unit)])

    def _inside_one_window(
        self, position: int, begin: LpVariable, steps: list[int], latest: float
    ) -> None:  # (7)
        """Begin in a window of the node that begins here, and end in it; `latest` is the big-M."""
        windows, unit, at = self.job["windows"], self.units.time, self._at(position)
        of_node: dict[int, list[int]] = defaultdict(list)
        for k in steps:
            if windows["of_node"][self.job["node"][k]] is not None:
                of_node[self.job["node"][k]].append(k)
        opens: list[tuple[LpVariable, float]] = []
        closes: list[tuple[LpVariable, float]] = []
        for node, mine in of_node.items():
            chosen = []
            for number, (start, end) in enumerate(windows["of_node"][node]):
                inside = LpVariable(f"window_{at}_{self._node(node)}_{number}", cat=LpBinary)
                chosen.append(inside)
                opens.append((inside, unit * start))
                loosened = min(latest, unit * end * (1 + self.units.slack) + latest * self.units.slack)
                closes.append((inside, latest - loosened))
            terms = [*((self.step[k], 1) for k in mine), *((inside, -1) for inside in chosen)]
            self._row(f"one_window_{at}_{self._node(node)}", terms, "=", 0)
        if of_node:
            self._row(f"opens_{at}", [*opens, (begin, -1)], "<=", 0)
            length = [(self.step[k], unit * windows["compute"][k]) for k in steps]
            self._row(f"closes_{at}", [(begin, 1), *length, *closes], "<=", latest)


_SENSE = {"=": LpConstraintEQ, "<=": LpConstraintLE, ">=": LpConstraintGE}
_MOST_SAMPLES = 2.0**20  # of the need in rows that are scaled
_SAMPLE_SLACK = 1e-3


def _places(values: list[int]) -> dict[int, list[int]]:
    """Places at which each value stands."""
    places: dict[int, list[int]] = defaultdict(list)
    for place, value in enumerate(values):
        places[value].append(place)
    return places


def _horizon(job: Job) -> int:
    """Time by which every plan that waits for nothing but windows has ended."""
    windows, longest = job["windows"], [0] * job["positions"]
    for k, start in enumerate(job["start"]):
        taken = windows["transfer_in"][k] + windows["compute"][k] + windows["transfer_out"][k]
        longest[start] = max(longest[start], taken)
    starts = [start for spans in windows["of_node"] for start, _ in spans or []]
    return int(max(starts, default=0) + sum(longest) + 1)


def _numbers(job: Job) -> dict[str, Any]:
    """Names for a programme that nobody reads."""
    return {
        "title": "edgeplan",
        "steps": [f"step_{k}" for k in range(len(job["start"]))],
        "positions": range(job["positions"] + 1),
        "classes": range(max(job["class_of"], default=0) + 1),
        "nodes": range(len(job["class_of"])),
        "budgets": [f"budget_{number}" for number in range(len(job["budgets"]))],
    }
