"""Why an instance has no plan, which budgets cannot be kept, what binds, and what more would buy."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal

from edgeplan.models.explanation import Blamed, Explanation, LimitUse, Outcome, Relaxation, WhatIf
from edgeplan.models.result import Result, SolverInfo, Status, gap_between
from edgeplan.models.segment_scheduling import Gains, Queues, SegmentPlan, SegmentScheduling
from edgeplan.models.segment_scheduling.instance import NOISE
from edgeplan.models.segment_scheduling.queues import budgets_j
from edgeplan.models.segment_scheduling.slot_cost import SlotCost
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.search import OnStep
from edgeplan.solvers.segment_scheduling.budgets import budget_conditions
from edgeplan.solvers.segment_scheduling.dssda import Dssda
from edgeplan.solvers.segment_scheduling.infeasibility import Infeasibility, infeasibility
from edgeplan.solvers.segment_scheduling.slot_arrays import Prices
from edgeplan.solvers.segment_scheduling.slot_series import SlotSeries

_GAP = 1e-4
_SHARE_OF_SOLVE = 0.5
_MOST_CHANGES = 40


def explain(
    problem: SegmentScheduling,
    plan: SegmentPlan | None,
    limits: SolveLimits,
    on_step: OnStep | None = None,
) -> Explanation:
    """Explain an instance, or a plan of it.

    What a change would buy is told for one slot, that of the median latency, with the queues that it met.
    """
    say = on_step or (lambda _: None)
    say("looking for budgets that cannot be kept")
    conditions = tuple(budget_conditions(problem))
    common: dict[str, Any] = {
        "problem": problem.name,
        "instance_sha256": problem.instance_sha256,
        "conditions": conditions,
        "solver": SolverInfo(name=Dssda.name, version="1", seed=limits.seed, workers=limits.workers),
    }
    why = infeasibility(problem)
    if why is not None:
        return Explanation(**common, **_infeasible(why), runtime_s=limits.elapsed_s)
    if plan is not None:
        check = problem.check(plan)
        if not check.feasible:
            headline = f"the plan breaks {len(check.violations)} rules"
            violations = tuple(check.to_document()["violations"])
            return Explanation(
                **common, status=None, headline=headline, violations=violations, runtime_s=limits.elapsed_s
            )
    result = None if plan is not None else _solved(problem, limits, say)
    if result is not None and result.plan is None:
        return Explanation(
            **common,
            status=result.status,
            headline=result.detail or "no plan was found",
            runtime_s=limits.elapsed_s,
        )
    if plan is None:
        assert result is not None
        plan = SegmentPlan.from_document(result.plan)
    return _of_plan(problem, plan, result, limits, common, say)


def _solved(problem: SegmentScheduling, limits: SolveLimits, say: OnStep) -> Result:
    say("solving the horizon")
    share = SolveLimits(
        time_limit_s=_SHARE_OF_SOLVE * limits.time_limit_s,
        gap=limits.gap,
        seed=limits.seed,
        workers=limits.workers,
        started=limits.started,
    )
    return Dssda().solve(problem, share)


def _infeasible(why: Infeasibility) -> dict[str, Any]:
    conflict = tuple(
        Blamed(pointers=(c.pointer,), have=c.have, needed=True if c.restores else None, message=c.message)
        for c in why.conflicts
    )
    relaxations = tuple(
        Relaxation(
            pointers=(c.pointer,),
            have=c.have,
            change_to=c.change_to,
            share=abs(float(c.change_to) / float(c.have) - 1) if c.have else 1.0,
            smallest=True,
            objective=None,
            message=c.message,
        )
        for c in why.conflicts
        if isinstance(c.change_to, int | float) and isinstance(c.have, int | float)
    )
    return {
        "status": Status.INFEASIBLE,
        "headline": why.conflicts[0].message if why.conflicts else why.second_reason,
        "detail": why.second_reason,
        "conflict": conflict,
        "conflict_verified": all(c.restores for c in why.conflicts),
        "relaxations": tuple(sorted(relaxations, key=lambda relaxation: relaxation.share)),
    }


def _of_plan(
    problem: SegmentScheduling,
    plan: SegmentPlan,
    result: Result | None,
    limits: SolveLimits,
    common: dict[str, Any],
    say: OnStep,
) -> Explanation:
    costs = problem.costs(plan)
    objective = sum(cost.objective for cost in costs)
    bounds = [bound for bound in plan.slot_bounds if bound is not None]
    bound = min(sum(bounds), objective) if len(bounds) == len(costs) else None
    uses = _uses(problem, costs)
    over = [use for use in uses if use.slack < 0]
    headline = f"mean latency {sum(cost.latency_s for cost in costs) / len(costs):.4g} s; " + (
        f"{len(over)} of {len(uses)} budgets are exceeded so far, {over[0].message}"
        if over
        else "all budgets are kept"
    )
    what_if = _Purchases(problem, plan, costs, limits, say).run()
    return Explanation(
        **common,
        status=Status.FEASIBLE if result is None else result.status,
        headline=headline,
        detail="an excess is what queues still hold, (Q_end - Q_start) / slots; it fades in longer horizons",
        plan=plan.to_document(),
        plan_objective=objective,
        objective=objective,
        bound=bound,
        gap=gap_between(objective, bound),
        limits=tuple(uses),
        what_if=tuple(what_if),
        solves=len(what_if),
        runtime_s=limits.elapsed_s,
    )


def _uses(problem: SegmentScheduling, costs: list[SlotCost]) -> list[LimitUse]:
    """Long-run budgets and what the plan takes of them, the most exceeded first."""
    pointers = {
        device.id: f"/clusters/{n}/devices/{i}/energy_budget_j"
        for n, cluster in enumerate(problem.instance.clusters)
        for i, device in enumerate(cluster.devices)
    } | {
        cluster.id: f"/clusters/{n}/uplink_energy_budget_j"
        for n, cluster in enumerate(problem.instance.clusters)
    }
    rows = [
        (pointers[name], name, budget, sum(cost.energy_j[name] for cost in costs) / len(costs), " J")
        for name, budget in budgets_j(problem.instance).items()
    ]
    noise = sum(cost.noise for cost in costs) / len(costs)
    rows.append(("/control/noise_budget", NOISE, problem.instance.control.noise_budget, noise, ""))
    queues = costs[-1].queues.to_document()
    uses = [
        LimitUse(
            pointer=pointer,
            have=budget,
            used=used,
            slack=budget - used,
            binds=queues[name] > 0,
            message=f"{name} takes {used:.4g} of {budget:.4g}{unit} a slot, queue {queues[name]:.4g}{unit}",
        )
        for pointer, name, budget, used, unit in rows
    ]
    return sorted(uses, key=lambda use: use.slack / use.have)


@dataclass(frozen=True)
class _Change:
    """A change of the instance document: where, in words, of which kind, and the new value."""

    pointer: str
    text: str
    kind: Literal["memory", "rate", "speed"]
    keys: tuple[str | int, ...]
    value: float


@dataclass(frozen=True)
class _Purchases:
    """One slot solved anew for every change."""

    problem: SegmentScheduling
    plan: SegmentPlan
    costs: list[SlotCost]
    limits: SolveLimits
    say: OnStep

    def run(self) -> list[WhatIf]:
        """Return what each change would buy in the slot of the median latency, the best first."""
        order = sorted(range(len(self.costs)), key=lambda t: self.costs[t].latency_s)
        slot = order[len(order) // 2]
        queues = self.problem.initial_queues if slot == 0 else self.costs[slot - 1].queues
        gains = next(g for t, g in enumerate(self.problem.gains()) if t == slot)
        changes = self._changes()
        before = self._solve(self.problem, gains, queues, slot, len(changes) + 1)
        bought = []
        for done, change in enumerate(changes):
            if time.monotonic() >= self.limits.work_until:
                break
            self.say(f"solving slot {slot} with {change.text}")
            after = self._solve(self._changed(change), gains, queues, slot, len(changes) - done)
            bought.append(_what_if(change, before, after, slot))
        return sorted(bought, key=lambda what_if: -(what_if.gain or 0.0))

    def _solve(
        self, problem: SegmentScheduling, gains: Gains, queues: Queues, slot: int, left: int
    ) -> tuple[float, float]:
        """Objective and bound of the slot; the plan's own decision is tried too."""
        from edgeplan.models.segment_scheduling.slot_cost import slot_cost

        share_s = max(0.0, self.limits.work_until - time.monotonic()) / max(1, left)
        with closing(SlotSeries(problem, gap=_GAP, workers=self.limits.workers)) as series:
            until = time.monotonic() + share_s
            prices = Prices.of_queues(problem, queues)
            answer = series.solve(prices, gains, until=until, hint=self.plan.slots[slot])
        objective = slot_cost(problem.segments, answer.plan, gains, queues).objective
        return objective, min(answer.bound, objective)

    def _changes(self) -> list[_Change]:
        instance = self.problem.instance
        tenth = 1.1
        changes = [
            _Change(
                "/uplink_bandwidth_hz",
                "10 % more uplink band",
                "rate",
                ("uplink_bandwidth_hz",),
                tenth * instance.uplink_bandwidth_hz,
            )
        ]
        for n, cluster in enumerate(instance.clusters):
            keys: tuple[str | int, ...] = ("clusters", n, "d2d_bandwidth_hz")
            text = f"10 % more D2D band in {cluster.id}"
            changes.append(_Change(_pointer(keys), text, "rate", keys, tenth * cluster.d2d_bandwidth_hz))
            for i, device in enumerate(cluster.devices):
                own = ("clusters", n, "devices", i)
                changes.append(
                    _Change(
                        _pointer((*own, "flops_per_s")),
                        f"10 % more speed on {device.id}",
                        "speed",
                        (*own, "flops_per_s"),
                        tenth * device.flops_per_s,
                    )
                )
                changes.append(
                    _Change(
                        _pointer((*own, "memory_bytes")),
                        f"1 GiB more memory on {device.id}",
                        "memory",
                        (*own, "memory_bytes"),
                        device.memory_bytes + 2**30,
                    )
                )
        return changes[:_MOST_CHANGES]

    def _changed(self, change: _Change) -> SegmentScheduling:
        document = self.problem.to_document()
        place: Any = document
        for key in change.keys[:-1]:
            place = place[key]
        place[change.keys[-1]] = change.value
        return SegmentScheduling.from_document(document)


def _pointer(keys: tuple[str | int, ...]) -> str:
    return "".join(f"/{key}" for key in keys)


def _what_if(change: _Change, before: tuple[float, float], after: tuple[float, float], slot: int) -> WhatIf:
    objective, bound = min(after[0], before[0]), after[1]
    gain, least, most = before[0] - objective, max(0.0, before[1] - objective), before[0] - bound
    exact = most - least <= 2 * _GAP * abs(before[0])
    outcome = Outcome.SETTLED if exact else Outcome.AT_LEAST if least > 0 else Outcome.OPEN
    share = gain / before[0] if before[0] else 0.0
    return WhatIf(
        change=change.text,
        kind=change.kind,
        pointers=(change.pointer,),
        outcome=outcome,
        solved=True,
        objective=objective,
        bound=bound,
        gain=gain,
        gain_share=share,
        gain_at_least=least,
        gain_at_most=most,
        message=f"lowers the objective of slot {slot} by {gain:.4g} ({100 * share:.2g} %)",
    )
