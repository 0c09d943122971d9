"""A conflict of groups of limits, where single limits are too many to tell apart in time.

Limits on the whole plan are groups of their own; all memories together are one, and so are all windows,
pins and forbidden pairs. Groups are lifted one after another for good where no plan is proven to exist
without them; every question that stays open leaves its group in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgeplan.models.explanation import Blamed, Relaxation
from edgeplan.models.faults import to_pointer
from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.models.result import Figure, Result, Status
from edgeplan.solvers.layer_assignment.explanation.asking import Questions
from edgeplan.solvers.layer_assignment.explanation.conflict.mending import (
    in_words,
    share_of_change,
    with_limit_at,
)
from edgeplan.solvers.layer_assignment.explanation.conflict.verified import Blame, OnQuestion
from edgeplan.solvers.layer_assignment.infeasible.named_limits import NamedLimit, named_limits, without

_SHARE_OF_DELETION = 0.6
_COSTS = ("time_s", "energy_j", "price")
_WORDS = {
    "memory_bytes": "memory of the nodes",
    "available_s": "windows of the nodes",
    "pin": "pins",
    "forbid": "forbidden pairs",
}


@dataclass(frozen=True)
class _Group:
    text: str
    limits: tuple[NamedLimit, ...]

    @property
    def pointers(self) -> tuple[str, ...]:
        return tuple(to_pointer(limit.path) for limit in self.limits)


def conflict_of_groups(
    problem: LayerAssignment, questions: Questions, on_question: OnQuestion | None = None
) -> Blame:
    """Find groups of an infeasible instance that cannot hold together, and changes of single limits."""
    say = on_question or (lambda text: None)
    groups = _groups(problem)
    until_s = (1 - _SHARE_OF_DELETION) * questions.remaining_s
    needed = _delete(problem, groups, questions, say, until_s)
    members = tuple(
        Blamed(
            pointers=group.pointers,
            have=group.limits[0].have if len(group.limits) == 1 else None,
            needed=needed[group.text],
            message=group.text,
        )
        for group in groups
        if group.text in needed
    )
    blamed = {pointer for member in members for pointer in member.pointers}
    found = single_changes(problem, questions, say, among=blamed)
    return Blame(members, all(member.needed for member in members), found)


def single_changes(
    problem: LayerAssignment, questions: Questions, say: OnQuestion, *, among: set[str] | None = None
) -> tuple[Relaxation, ...]:
    """Find changes of single limits on the whole plan with which there is a plan, the smallest first.

    Parameters
    ----------
    among
        Pointers of the limits to try; all by default.
    """
    singles = [
        limit
        for limit in named_limits(problem)
        if limit.path[0] == "limits" and (among is None or to_pointer(limit.path) in among)
    ]
    relaxations = [_relaxation(problem, limit, singles, questions, say) for limit in singles]
    return tuple(sorted((one for one in relaxations if one), key=lambda one: one.share))


def _groups(problem: LayerAssignment) -> list[_Group]:
    """Groups, the largest first: where they are not needed, single limits are left to blame."""
    named = named_limits(problem)
    kinds: dict[str, list[NamedLimit]] = {}
    for limit in named:
        kind = limit.path[0] if limit.path[0] in _WORDS else limit.path[-1]
        kinds.setdefault(str(kind), []).append(limit)
    groups = [_Group(_text(kind, limits), tuple(limits)) for kind, limits in kinds.items()]
    return sorted(groups, key=lambda group: -len(group.limits))


def _text(kind: str, limits: Sequence[NamedLimit]) -> str:
    return limits[0].text if kind not in _WORDS or len(limits) == 1 else f"{_WORDS[kind]} ({len(limits)})"


def _delete(
    problem: LayerAssignment, groups: list[_Group], questions: Questions, say: OnQuestion, until_s: float
) -> dict[str, bool | None]:
    """Lift groups for good while no plan exists; say of the others whether they are needed."""
    lifted: list[NamedLimit] = []
    needed: dict[str, bool | None] = {}
    for k, group in enumerate(groups):
        answer = None
        left_s = questions.remaining_s - until_s
        if left_s > 0 and not questions.is_over:
            say(f"without {group.text}")
            asked = without(problem, [*lifted, *group.limits])
            answer = questions.has_plan(asked, left_s / (len(groups) - k))
        if answer is False:
            lifted += group.limits
        else:
            needed[group.text] = answer
    return needed


def _relaxation(
    problem: LayerAssignment,
    limit: NamedLimit,
    singles: list[NamedLimit],
    questions: Questions,
    say: Callable[[str], None],
) -> Relaxation | None:
    """The least that a plan of the instance without this limit needs of it, as far as time allows."""
    if questions.is_over:
        return None
    say(f"the least {limit.path[-1]}")
    seconds = questions.remaining_s / (len(singles) - singles.index(limit))
    asked = without(problem, [limit])
    if limit.measure in _COSTS:
        result = questions.solve(asked.replace(objective={limit.measure: 1.0}), seconds)
    else:
        result = questions.first_plan(asked, seconds)
    if result.plan is None:
        return None
    plan = problem.plan_from_document(result.plan)
    need = _need(problem, limit, plan)
    if not with_limit_at(problem, limit, need).check(plan).feasible:
        return None
    smallest = limit.measure in _COSTS and result.status is Status.OPTIMAL
    return Relaxation(
        pointers=(to_pointer(limit.path),),
        have=limit.have,
        change_to=need,
        share=share_of_change(limit.have, need),
        smallest=smallest,
        objective=problem.objective(plan),
        message=in_words(limit, need) + ("" if smallest else _floor(limit, result)),
    )


def _need(problem: LayerAssignment, limit: NamedLimit, plan: Plan) -> Figure:
    """What the plan needs of a limit on the whole plan."""
    cost, nodes = problem.cost(plan), problem.instance.network.nodes
    if limit.measure in _COSTS:
        value: float | None = getattr(cost, limit.measure)
        return value
    if limit.measure == "nodes":
        return len(cost.visits)
    if limit.measure == "layers":
        return max(len(visit.visit.own_layers) for visit in cost.visits)
    return sum(nodes[visit.visit.node].num_samples for visit in cost.visits)


def _floor(limit: NamedLimit, result: Result) -> str:
    """Say from where on a change may be enough, if a bound says more than the limit itself."""
    if limit.measure not in _COSTS or result.bound is None or result.bound <= limit.have:
        return ""
    return f"; below {result.bound:.6g} there is none"
