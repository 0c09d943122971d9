"""A sweep over the trade-off: the same horizon with every V, and the offline bound beside each."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

from edgeplan.errors import BackendError, UsageError
from edgeplan.models.result import Result, SolverInfo
from edgeplan.models.segment_scheduling import Queues, SegmentPlan, SegmentScheduling
from edgeplan.models.segment_scheduling.queues import budgets_j
from edgeplan.models.segment_scheduling.slot_cost import SlotCost
from edgeplan.models.segment_scheduling.sweep import Sweep, SweepPoint
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.segment_scheduling.dssda import Dssda
from edgeplan.solvers.segment_scheduling.offline import Multipliers, offline_bounds_s

OnPoint = Callable[[SweepPoint], None]
GAP = 1e-3
_SHARE_OF_BOUND = 0.4  # of a point's time


def sweep(
    problem: SegmentScheduling,
    tradeoffs: Sequence[float],
    *,
    time_limit_s: float = 600.0,
    gap: float = GAP,
    workers: int = 1,
    on_point: OnPoint | None = None,
) -> Sweep:
    """Run the horizon once for each trade-off.

    Parameters
    ----------
    problem
        The instance; its own trade-off does not matter.
    tradeoffs
        Values of V in 1/s, each above 0.
    time_limit_s
        Wall-clock seconds for all of them.
    gap
        Relative gap of every slot.
    workers
        Clusters priced side by side.
    on_point
        Called with every point as it is done.

    Raises
    ------
    UsageError
        When there is no trade-off, or one is not above 0.
    BackendError
        When a horizon has no plan: no segmentation fits, or there was no time.
    """
    values = sorted(set(tradeoffs))
    if not values or not all(0 < value < math.inf for value in values):
        raise UsageError(f"tradeoffs: {list(tradeoffs)}: must be numbers above 0, at least one")
    started, points = time.monotonic(), []
    for k, value in enumerate(values):
        share_s = (started + time_limit_s - time.monotonic()) / (len(values) - k)
        control = {**problem.document["control"], "tradeoff": value}
        point = _point(problem.replace(control=control), max(share_s, 0.1), gap, workers)
        points.append(point)
        if on_point is not None:
            on_point(point)
    info = SolverInfo(name=Dssda.name, version="1", workers=workers, options={"gap": gap})
    return Sweep(
        problem=problem.name,
        instance_sha256=problem.instance_sha256,
        name=problem.instance.name,
        slots=problem.instance.control.slots,
        points=tuple(points),
        solver=info,
        runtime_s=time.monotonic() - started,
    )


def _point(problem: SegmentScheduling, share_s: float, gap: float, workers: int) -> SweepPoint:
    begun = time.monotonic()
    limits = SolveLimits(time_limit_s=(1 - _SHARE_OF_BOUND) * share_s, gap=gap, workers=workers)
    result = Dssda().solve(problem, limits)
    if result.plan is None:
        raise BackendError(
            f"tradeoff {problem.instance.control.tradeoff:g}: {result.status}: {result.detail}"
        )
    run_s = time.monotonic() - begun
    costs = problem.costs(SegmentPlan.from_document(result.plan))
    multipliers = Multipliers.of_run(problem, costs)
    bounds_s = offline_bounds_s(problem, multipliers, workers=workers, until=begun + share_s)
    spent_s = multipliers.of_queues(problem, problem.initial_queues, costs[-1].queues)
    return _told(problem, costs, result, bounds_s, spent_s, gap, run_s)


def _told(
    problem: SegmentScheduling,
    costs: Sequence[SlotCost],
    result: Result,
    bounds_s: Sequence[float],
    spent_s: float,
    gap: float,
    run_s: float,
) -> SweepPoint:
    late = costs[len(costs) // 2 :]
    bounds = result.plan["slot_bounds"] if result.plan else []
    return SweepPoint(
        tradeoff=problem.instance.control.tradeoff,
        mean_latency_s=_mean([cost.latency_s for cost in costs]),
        late_latency_s=_mean([cost.latency_s for cost in late]),
        late_queue=_mean([_in_budgets(problem, cost.queues) for cost in late]),
        end_queue=_in_budgets(problem, costs[-1].queues),
        worst_violation=_worst_violation(problem, costs),
        late_violation=_worst_violation(problem, late),
        offline_bound_s=_mean(bounds_s),
        late_bound_s=_mean(bounds_s[len(costs) // 2 :]),
        run_bound_s=_mean(bounds_s) - spent_s,
        open_slots=sum(
            cost.objective - bound > gap * 1.001 * abs(cost.objective)
            for cost, bound in zip(costs, bounds, strict=True)
        ),
        slots_per_s=len(costs) / max(run_s, 1e-9),
    )


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _in_budgets(problem: SegmentScheduling, queues: Queues) -> float:
    energy = math.fsum(queues.energy_j[name] / budget for name, budget in budgets_j(problem.instance).items())
    return energy + queues.noise / problem.instance.control.noise_budget


def _worst_violation(problem: SegmentScheduling, costs: Sequence[SlotCost]) -> float:
    energy = [
        _mean([cost.energy_j[name] for cost in costs]) / budget - 1
        for name, budget in budgets_j(problem.instance).items()
    ]
    noise = _mean([cost.noise for cost in costs]) / problem.instance.control.noise_budget - 1
    return max(0.0, noise, *energy)
