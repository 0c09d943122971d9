"""What a change would buy: the changed instance solved anew, from the plan that is known.

Every change is a relaxation, so its optimum is at most the one before. With objective and bound known
on both sides, the fall of the optimum is at least (bound before - objective after) and at most
(objective before - bound after); both meet where both optima are proven.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from edgeplan.errors import BackendError
from edgeplan.models.explanation import Outcome, WhatIf
from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.models.result import OPTIMALITY_GAP, Result
from edgeplan.solvers.layer_assignment.explanation.asking import Questions
from edgeplan.solvers.layer_assignment.explanation.what_if.changes import Change
from edgeplan.solvers.units import figure_text, percent_text

OnChange = Callable[[int, int, str], None]
"""Called with how many changes are done, how many there are, and the next one in words."""


@dataclass(frozen=True)
class Known:
    """The best plan known of an instance and a bound; `proven` says that they meet."""

    plan: Plan
    objective: float
    bound: float | None

    @property
    def proven(self) -> bool:
        """Whether the plan is optimal within the tolerance of formats.md."""
        return self.bound is not None and self.objective - self.bound <= _rounding(self.objective)


def _rounding(objective: float) -> float:
    return OPTIMALITY_GAP * max(abs(objective), 1e-12)


@dataclass
class _Tried:
    change: Change
    problem: LayerAssignment | None = None
    known: Known | None = None
    solved: bool = False


def buy(
    problem: LayerAssignment,
    before: Known,
    changes: list[Change],
    questions: Questions,
    *,
    shortest_s: float,
    on_change: OnChange | None = None,
) -> tuple[Known, list[WhatIf]]:
    """Re-solve the instance under each change, a fair share of the time for each.

    First every change is valued with the plan as it is, then the instances are solved anew.

    Parameters
    ----------
    before
        The best plan known of the instance.
    changes
        In the order in which to solve; where time is too short for all, the last are not solved.
    shortest_s
        Less time for a solve is not worth while.

    Returns
    -------
    tuple[Known, list[WhatIf]]
        The best plan known in the end (a changed instance may have shown a better one), and what each
        change would buy, the best first.
    """
    tried, at_first = [_Tried(change) for change in changes], before
    for entry in tried:
        if not questions.is_over:
            entry.problem = entry.change.apply()
            entry.known = _same_plan(entry.problem, before.plan)
    for k, entry in enumerate(tried):
        if questions.is_over or entry.problem is None:
            break
        if on_change is not None:
            on_change(k, len(tried), entry.change.text)
        seconds = max(shortest_s, questions.remaining_s / (len(tried) - k))
        result = questions.solve(entry.problem, seconds, warm_start=before.plan)
        entry.known, entry.solved = known_of(entry.problem, result) or entry.known, True
        before = _better_without(problem, before, entry.known)
    if before is not at_first:
        for entry in tried:
            entry.known = _not_worse_than(entry, before)
    unit = problem.objective_unit
    found = [_what_if(entry, before, unit) for entry in tried]
    return before, sorted(found, key=_rank)


def _same_plan(problem: LayerAssignment, plan: Plan) -> Known | None:
    """What the plan as it is would be worth."""
    check = problem.check(plan)
    return Known(plan, check.objective, None) if check.feasible and check.objective is not None else None


def known_of(problem: LayerAssignment, result: Result) -> Known | None:
    """Return what a result knows of the optimum; None without a plan."""
    if result.plan is None or result.objective is None:
        return None
    return Known(problem.plan_from_document(result.plan), result.objective, result.bound)


def _better_without(problem: LayerAssignment, before: Known, found: Known | None) -> Known:
    """Keep a plan that is better even without the change."""
    if found is None:
        return before
    check = problem.check(found.plan)
    if not check.feasible or check.objective is None or check.objective >= before.objective:
        return before
    if before.bound is not None and check.objective < before.bound - _rounding(before.bound):
        raise BackendError(f"bound {before.bound!r} is above the objective {check.objective!r} of a plan")
    return replace(before, plan=found.plan, objective=check.objective)


def _what_if(entry: _Tried, before: Known, unit: str) -> WhatIf:
    change, after, negligible = entry.change, entry.known, _rounding(before.objective)
    gain = 0.0 if after is None else before.objective - after.objective
    gain = gain if gain > negligible else 0.0
    members: dict[str, Any] = {"change": change.text, "kind": change.kind, "pointers": change.pointers}
    if after is None or not (entry.solved or gain):
        return WhatIf(**members, outcome=Outcome.NOT_TRIED, message="not solved anew: time ran out")
    least = 0.0 if before.bound is None else max(0.0, before.bound - after.objective)
    most = None if after.bound is None else max(0.0, before.objective - after.bound)
    proven = (before.proven and after.proven) or (most is not None and most <= negligible)
    least = gain if proven else least if least > negligible else 0.0
    outcome = Outcome.SETTLED if proven else Outcome.AT_LEAST if least > 0 else Outcome.OPEN
    message = _message(outcome, gain, least, most, before.objective, unit)
    return WhatIf(
        **members,
        outcome=outcome,
        solved=entry.solved,
        objective=after.objective,
        bound=after.bound,
        gain=gain,
        gain_share=gain / max(abs(before.objective), 1e-12),
        gain_at_least=least,
        gain_at_most=gain if proven else most,
        plan=after.plan.to_document() if gain > 0 else None,
        message=message + ("" if entry.solved else " (the plan as it is; not solved anew)"),
    )


def _not_worse_than(entry: _Tried, before: Known) -> Known | None:
    """What is known of the changed instance, now that a better plan without the change is."""
    if entry.problem is None:
        return None
    same = _same_plan(entry.problem, before.plan)
    if same is None or (entry.known is not None and entry.known.objective <= same.objective):
        return entry.known
    return same if entry.known is None else replace(entry.known, plan=same.plan, objective=same.objective)


def _message(
    outcome: Outcome, gain: float, least: float, most: float | None, objective: float, unit: str
) -> str:
    def saved(amount: float) -> str:
        return f"{figure_text(amount, unit)} ({percent_text(amount / max(abs(objective), 1e-12))})"

    if outcome is Outcome.SETTLED:
        return f"saves {saved(gain)}" if gain > 0 else "saves nothing"
    ceiling = "" if most is None else f", at most {saved(most)}"
    if outcome is Outcome.AT_LEAST:
        return f"saves at least {saved(least)}{ceiling}"
    if gain > 0:
        return f"best known falls by {saved(gain)}; not proven{ceiling}"
    return f"no gain found; not settled{ceiling}"


def _rank(found: WhatIf) -> tuple[bool, float, float, bool]:
    """Largest gain first; then what may still gain; what was not tried last."""
    open_gain = found.gain_at_most if found.gain_at_most is not None else 0.0
    not_tried = found.outcome is Outcome.NOT_TRIED
    return not_tried, -(found.gain or 0.0), -open_gain, found.outcome is not Outcome.SETTLED
