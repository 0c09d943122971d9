"""The course of an explanation: preflight, one solve, then the conflict or what changes would buy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgeplan.models.explanation import (
    Condition,
    Explanation,
    LimitUse,
    LinkUse,
    NodeUse,
    Outcome,
    Relaxation,
    WhatIf,
)
from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.models.result import Result, SolverInfo, Status, gap_between
from edgeplan.solvers.layer_assignment.bounds.chain_bound import shows_no_plan
from edgeplan.solvers.layer_assignment.explanation.asking import Questions
from edgeplan.solvers.layer_assignment.explanation.conflict.groups import conflict_of_groups, single_changes
from edgeplan.solvers.layer_assignment.explanation.conflict.verified import Blame, verified_conflict
from edgeplan.solvers.layer_assignment.explanation.preflight.preflight import preflight
from edgeplan.solvers.layer_assignment.explanation.use.link_use import link_uses
from edgeplan.solvers.layer_assignment.explanation.use.plan_use import limit_uses, node_uses
from edgeplan.solvers.layer_assignment.explanation.what_if.buying import Known, buy, known_of
from edgeplan.solvers.layer_assignment.explanation.what_if.changes import changes
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.registry import Solver
from edgeplan.solvers.search import OnStep
from edgeplan.solvers.units import figure_text

_SHARE_OF_FIRST_SOLVE, _SHARE_OF_SECOND_SOLVE, _SHARE_OF_BLAME = 0.35, 0.6, 0.4
# of a changed instance: less than the first solve took would settle nothing
_SHORTEST_S, _AS_LONG_AS_FIRST, _LONGEST_SHARE = 1.0, 1.2, 0.25
_WITHOUT_ANSWER = {
    Status.NO_PLAN: "no plan was found in the time given, and none is proven not to exist",
    Status.FAILED: "the solver broke before it gave an answer",
}


def explain(
    problem: LayerAssignment,
    plan: Plan | None,
    solver: Solver,
    limits: SolveLimits,
    on_step: OnStep | None = None,
) -> Explanation:
    """Say why the instance has no plan, or what holds the plan back and what a change would buy.

    Parameters
    ----------
    problem
        The instance.
    plan
        The plan to explain; the best that is found if None.
    solver
        Who answers the questions.
    limits
        Time for everything, seed and workers.
    """
    course = _Course(problem, Questions(solver, limits), limits, on_step or (lambda text: None))
    course.say("preflight")
    conditions = preflight(problem)
    if plan is not None and (violations := problem.check(plan).violations):
        return course.broken(plan, conditions, len(violations))
    course.say("solving")
    result = course.first_result(plan, conditions)
    known = None if result is None else known_of(problem, result)
    if result is None or result.status is Status.INFEASIBLE:
        return course.blamed(conditions)
    if known is not None:
        return course.explained(plan, known, result, conditions)
    return course.unanswered(result, conditions)


@dataclass(frozen=True)
class _Course:
    problem: LayerAssignment
    questions: Questions
    limits: SolveLimits
    say: OnStep

    def close(
        self,
        status: Status | None,
        headline: str,
        conditions: Sequence[Condition],
        solver: SolverInfo,
        **members: Any,
    ) -> Explanation:
        return Explanation(
            problem=self.problem.name,
            instance_sha256=self.problem.instance_sha256,
            status=status,
            headline=headline,
            conditions=tuple(conditions),
            solver=solver,
            interrupted=self.questions.interrupted,
            solves=self.questions.num_solves,
            runtime_s=self.limits.elapsed_s,
            **members,
        )

    def broken(self, plan: Plan, conditions: Sequence[Condition], num_broken: int) -> Explanation:
        """Say only which rules the plan breaks."""
        check = self.problem.check(plan)
        info = SolverInfo(name=self.questions.solver.name, version="", seed=self.limits.seed)
        return self.close(
            None,
            f"the plan given breaks {num_broken} rule{'s' if num_broken > 1 else ''} of the instance",
            conditions,
            info,
            detail="replan makes a new plan from it",
            violations=tuple(check.to_document()["violations"]),
            plan=plan.to_document(),
            plan_objective=check.objective,
        )

    def first_result(self, plan: Plan | None, conditions: Sequence[Condition]) -> Result | None:
        """Solve the instance; None where bounds alone show that it has no plan."""
        if any(not condition.holds for condition in conditions) or shows_no_plan(self.problem):
            return None
        share = _SHARE_OF_FIRST_SOLVE * self.limits.remaining_s
        result = self.questions.solve(self.problem, share, warm_start=plan)
        if result.status is not Status.NO_PLAN or self.questions.is_over:
            return result
        return self.questions.solve(self.problem, _SHARE_OF_SECOND_SOLVE * self.limits.remaining_s)

    def unanswered(self, result: Result, conditions: Sequence[Condition]) -> Explanation:
        """Say that nothing is proven, and with which change of one limit there is a plan."""
        found: tuple[Relaxation, ...] = ()
        if result.status is Status.NO_PLAN:
            found = single_changes(self.problem, self.questions, lambda text: self.say(f"looking for {text}"))
        headline = _WITHOUT_ANSWER[result.status] + (f"; {found[0].message}" if found else "")
        return self.close(
            result.status, headline, conditions, result.solver, detail=result.detail, relaxations=found
        )

    def blamed(self, conditions: Sequence[Condition]) -> Explanation:
        """Say which limits are to blame, and which change mends it."""

        def say(question: str) -> None:
            self.say(f"checking {question}")

        self.say("looking for the conflict")
        result = self.questions.solve(self.problem, _SHARE_OF_BLAME * self.limits.remaining_s, blame=True)
        if result.conflicts:
            blame = verified_conflict(self.problem, result.conflicts, self.questions, say)
        else:
            blame = conflict_of_groups(self.problem, self.questions, say)
        return self.close(
            Status.INFEASIBLE,
            _why_not(blame, conditions),
            conditions,
            result.solver,
            detail=result.detail if result.status is Status.INFEASIBLE else None,
            conflict=blame.members,
            conflict_verified=blame.verified,
            relaxations=blame.relaxations,
        )

    def explained(
        self, plan: Plan | None, known: Known, result: Result, conditions: Sequence[Condition]
    ) -> Explanation:
        """Say what binds, what is left, and what changes would buy."""
        at_first = self._uses(plan or known.plan)
        offers = changes(self.problem, plan or known.plan, *at_first)
        shortest_s = max(_SHORTEST_S, _AS_LONG_AS_FIRST * result.runtime_s)
        shortest_s = min(shortest_s, _LONGEST_SHARE * self.questions.remaining_s)
        known, found = buy(
            self.problem, known, offers, self.questions, shortest_s=shortest_s, on_change=self._tell
        )
        shown = plan or known.plan
        limits, nodes, links = self._uses(shown)
        return self.close(
            Status.OPTIMAL if known.proven else Status.FEASIBLE,
            _what_to_buy(found, self.problem.objective_unit),
            conditions,
            result.solver,
            plan=shown.to_document(),
            plan_objective=self.problem.objective(shown),
            objective=known.objective,
            bound=known.bound,
            gap=gap_between(known.objective, known.bound),
            limits=limits,
            nodes=nodes,
            links=links,
            most_loaded_node=_most_loaded_node(nodes),
            most_loaded_link=_most_loaded_link(links),
            what_if=tuple(found),
        )

    def _uses(self, plan: Plan) -> tuple[tuple[LimitUse, ...], tuple[NodeUse, ...], tuple[LinkUse, ...]]:
        return limit_uses(self.problem, plan), node_uses(self.problem, plan), link_uses(self.problem, plan)

    def _tell(self, done: int, of: int, text: str) -> None:
        self.say(f"what if {done + 1} of {of}: {text}")


def _most_loaded_node(uses: tuple[NodeUse, ...]) -> str:
    return max(uses, key=lambda use: use.compute_s).node


def _most_loaded_link(uses: tuple[LinkUse, ...]) -> tuple[str, str] | None:
    busiest = max(uses, key=lambda use: use.seconds, default=None)
    return None if busiest is None else (busiest.source, busiest.target)


def _why_not(blame: Blame, conditions: Sequence[Condition]) -> str:
    if blame.relaxations:
        return f"no plan exists; the smallest single change: {blame.relaxations[0].message}"
    failing = [condition.message for condition in conditions if not condition.holds]
    if failing:
        return f"no plan exists: {failing[0]}"
    if not blame.members:
        return "no plan exists"
    return f"no plan exists: {len(blame.members)} limits cannot hold together; no single change helps"


def _what_to_buy(found: Sequence[WhatIf], unit: str) -> str:
    tried = [one for one in found if one.outcome is not Outcome.NOT_TRIED]
    if not tried:
        return "no change was tried in the time given"
    best = tried[0]
    if not best.gain:
        settled = all(one.outcome is Outcome.SETTLED for one in tried) and len(tried) == len(found)
        return "none of the changes tried helps" + ("" if settled else ", as far as the time went")
    assert best.objective is not None
    before, after = (figure_text(value, unit) for value in (best.objective + best.gain, best.objective))
    return f"{best.change}: {before} to {after}, {best.message}"
