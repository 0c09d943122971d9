"""Why an instance has no plan, or what binds in a plan and what a change would buy."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from edgeplan.models.explanation import Blamed, Explanation, LimitUse, Outcome, Relaxation, WhatIf
from edgeplan.models.faults import Path, to_pointer
from edgeplan.models.network import Network
from edgeplan.models.result import OPTIMALITY_GAP, Conflict, Result, Status, gap_between
from edgeplan.models.sparse_update import SparsePlan, SparseUpdate
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.registry import Solver
from edgeplan.solvers.search import OnStep
from edgeplan.solvers.units import bytes_text, figure_text, percent_text

_SHARE_OF_SOLVE = 0.4
_MOST_CHANGES = 24
_FULL = 0.005  # share of the memory that is left where it binds
_TENTH = 1.1


def explain(
    problem: SparseUpdate,
    plan: SparsePlan | None,
    solver: Solver,
    limits: SolveLimits,
    on_step: OnStep | None = None,
) -> Explanation:
    """Explain an instance, or a plan of it."""
    say = on_step or (lambda _: None)
    if plan is not None:
        check = problem.check(plan)
        if not check.feasible:
            return Explanation(
                problem=problem.name,
                instance_sha256=problem.instance_sha256,
                solver=_solved(problem, None, solver, _until(limits, 0.0)).solver,
                status=None,
                headline=f"the plan breaks {len(check.violations)} rules",
                violations=tuple(check.to_document()["violations"]),
                runtime_s=limits.elapsed_s,
            )
    say("solving the instance")
    result = _solved(problem, plan, solver, _until(limits, _SHARE_OF_SOLVE))
    common: dict[str, Any] = {
        "problem": problem.name,
        "instance_sha256": problem.instance_sha256,
        "status": result.status,
        "solver": result.solver,
    }
    if result.plan is None:
        return Explanation(**common, **_without_plan(result), runtime_s=limits.elapsed_s)
    shown = plan or SparsePlan.from_document(result.plan)
    return _of_plan(problem, shown, result, _Purchases(problem, solver, result, limits, say), common, limits)


def _until(limits: SolveLimits, share: float) -> SolveLimits:
    """Limits that end after a share of the time."""
    return SolveLimits(
        time_limit_s=max(0.1, share * limits.time_limit_s),
        seed=limits.seed,
        workers=limits.workers,
        started=limits.started,
    )


def _solved(problem: SparseUpdate, plan: SparsePlan | None, solver: Solver, limits: SolveLimits) -> Result:
    settings = {name: getattr(limits, name) for name in ("time_limit_s", "seed", "workers", "started")}
    return solver.solve(problem, SolveLimits(**settings, warm_start=plan))


def _without_plan(result: Result) -> dict[str, Any]:
    """What is to blame, and what would help."""
    headline = "no plan was found in time"
    if result.status is Status.INFEASIBLE:
        headline = result.conflicts[0].message if result.conflicts else "no plan exists"
    return {
        "headline": headline,
        "detail": result.detail,
        "conflict": tuple(
            Blamed(pointers=(c.pointer,), have=c.have, needed=True, message=c.message)
            for c in result.conflicts
        ),
        "conflict_verified": bool(result.conflicts),
        "relaxations": tuple(
            sorted(map(_relaxation, filter(_helps, result.conflicts)), key=lambda one: one.share)
        ),
    }


def _helps(conflict: Conflict) -> bool:
    return conflict.restores


def _relaxation(conflict: Conflict) -> Relaxation:
    have, change_to = conflict.have, conflict.change_to
    share = 1.0
    if isinstance(have, int | float) and isinstance(change_to, int | float) and have:
        share = abs(change_to / have - 1)
    return Relaxation(
        pointers=(conflict.pointer,),
        have=have,
        change_to=change_to,
        share=share,
        smallest=change_to is not None,
        objective=None,
        message=conflict.message,
    )


def _of_plan(
    problem: SparseUpdate,
    plan: SparsePlan,
    result: Result,
    purchases: _Purchases,
    common: dict[str, Any],
    limits: SolveLimits,
) -> Explanation:
    uses = tuple(_uses(problem, plan))
    metrics = problem.metrics(plan)
    binding = sum(use.binds for use in uses)
    what_if = purchases.run()
    return Explanation(
        **common,
        headline=(
            f"the updates bring {metrics['contribution']:.4g}, aggregation takes "
            f"{figure_text(metrics['aggregation_s'], 's')} in {metrics['num_collectives']} collectives; "
            f"{binding} of {len(uses)} limits bind"
        ),
        detail=result.detail,
        plan=plan.to_document(),
        plan_objective=problem.objective(plan),
        objective=result.objective,
        bound=result.bound,
        gap=gap_between(result.objective, result.bound),
        limits=uses,
        what_if=what_if,
        solves=1 + len(what_if),
        runtime_s=limits.elapsed_s,
    )


def _uses(problem: SparseUpdate, plan: SparsePlan) -> Iterator[LimitUse]:
    """Memories and step limits, those that bind first."""
    found = [*_memory_uses(problem, plan), *_step_uses(problem, plan)]
    yield from sorted(found, key=lambda use: (not use.binds, use.slack / max(use.have, 1e-300)))


def _memory_uses(problem: SparseUpdate, plan: SparsePlan) -> Iterator[LimitUse]:
    for d, (device, cost) in enumerate(
        zip(problem.instance.devices, problem.cost(plan).device_costs, strict=True)
    ):
        free = device.memory_bytes - cost.memory_bytes
        yield LimitUse(
            pointer=to_pointer(("devices", d, "memory_bytes")),
            have=device.memory_bytes,
            used=cost.memory_bytes,
            slack=free,
            binds=free <= _FULL * device.memory_bytes,
            message=f"memory of {device.id}: {bytes_text(free)} of {bytes_text(device.memory_bytes)} left",
        )


def _step_uses(problem: SparseUpdate, plan: SparsePlan) -> Iterator[LimitUse]:
    for d, (device, cost) in enumerate(
        zip(problem.instance.devices, problem.cost(plan).device_costs, strict=True)
    ):
        if device.max_step_s is not None:
            left = device.max_step_s - cost.step_s
            limit = figure_text(device.max_step_s, "s")
            yield LimitUse(
                pointer=to_pointer(("devices", d, "max_step_s")),
                have=device.max_step_s,
                used=cost.step_s,
                slack=left,
                binds=left <= _FULL * device.max_step_s,
                message=f"step of {device.id}: {figure_text(cost.step_s, 's')} of {limit}",
            )


@dataclass(frozen=True)
class _Change:
    """A change of the instance document: in words, of which kind, and the new values by place."""

    text: str
    kind: Literal["memory", "rate", "speed", "limit"]
    values: dict[Path, float | int]


@dataclass(frozen=True)
class _Purchases:
    """The instance solved anew for every change."""

    problem: SparseUpdate
    solver: Solver
    before: Result
    limits: SolveLimits
    say: OnStep

    def run(self) -> tuple[WhatIf, ...]:
        """Return what each change would buy, the best first."""
        changes, bought = list(self._changes())[:_MOST_CHANGES], list[WhatIf]()
        for done, change in enumerate(changes):
            left_s = self.limits.work_until - time.monotonic()
            if left_s <= 0:
                bought += [_not_tried(one) for one in changes[done:]]
                break
            self.say(f"solving with {change.text}")
            bought.append(self._bought(change, left_s / (len(changes) - done)))
        return tuple(sorted(bought, key=lambda what_if: -(what_if.gain or 0.0)))

    def _bought(self, change: _Change, time_limit_s: float) -> WhatIf:
        document = copy.deepcopy(self.problem.document)
        for path, value in change.values.items():
            place: Any = document
            for part in path[:-1]:
                place = place[part]
            place[path[-1]] = value
        limits = SolveLimits(
            time_limit_s=max(0.1, time_limit_s), seed=self.limits.seed, workers=self.limits.workers
        )
        plan = SparsePlan.from_document(self.before.plan)
        return _what_if(
            change, self.before, _solved(SparseUpdate.from_document(document), plan, self.solver, limits)
        )

    def _changes(self) -> Iterator[_Change]:
        instance = self.problem.instance
        for d, device in enumerate(instance.devices):
            more = int(_TENTH * device.memory_bytes)
            yield _Change(
                f"10 % more memory on {device.id}", "memory", {("devices", d, "memory_bytes"): more}
            )
            if device.max_step_s is not None:
                path: Path = ("devices", d, "flops_per_s")
                yield _Change(f"10 % more speed on {device.id}", "speed", {path: _TENTH * device.flops_per_s})
        network = instance.network
        if isinstance(network, Network) or not instance.objective.aggregation_s:
            return
        if network.bit_per_s is not None:
            faster: dict[Path, float | int] = {("network", "bit_per_s"): _TENTH * network.bit_per_s}
            yield _Change("10 % more rate between devices", "rate", faster)
        yield _Change("half the latency", "rate", {("network", "latency_s"): network.latency_s / 2})


def _not_tried(change: _Change) -> WhatIf:
    return WhatIf(
        change=change.text,
        kind=change.kind,
        pointers=tuple(map(to_pointer, change.values)),
        outcome=Outcome.NOT_TRIED,
        message="there was no time to solve it",
    )


def _what_if(change: _Change, before: Result, after: Result) -> WhatIf:
    """Compare objectives, of which more is better; a change that only helps never loses."""
    assert before.objective is not None
    objective = max(before.objective, before.objective if after.objective is None else after.objective)
    gain = objective - before.objective
    least = max(0.0, objective - (before.bound if before.bound is not None else objective))
    most = None if after.bound is None else max(gain, after.bound - before.objective)
    size = 2 * OPTIMALITY_GAP * abs(before.objective)
    settled = most is not None and most - least <= size
    outcome = Outcome.SETTLED if settled else Outcome.AT_LEAST if least > 0 else Outcome.OPEN
    share = gain / abs(before.objective) if before.objective else 0.0
    return WhatIf(
        change=change.text,
        kind=change.kind,
        pointers=tuple(map(to_pointer, change.values)),
        outcome=outcome,
        solved=True,
        objective=objective,
        bound=after.bound,
        gain=gain,
        gain_share=share,
        gain_at_least=least,
        gain_at_most=most,
        message=f"raises the objective by {gain:.4g} ({percent_text(share)})",
    )
