"""DSSDA over the horizon of an instance: the controller run slot by slot on the instance's gains."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from edgeplan.errors import BackendError
from edgeplan.models.result import Incumbent, Result, SolverInfo, Stop
from edgeplan.models.segment_scheduling import Gains, SegmentPlan, SegmentScheduling, SlotPlan
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.search import Ending, EnoughError, OnIncumbent, Search, run_search
from edgeplan.solvers.segment_scheduling.controller import OPTIMAL_GAP, Controller, Decision
from edgeplan.solvers.segment_scheduling.infeasibility import infeasibility
from edgeplan.solvers.segment_scheduling.slot_search import OnBetter

Horizon = Search[SegmentScheduling, SegmentPlan]
"""The course of a solve of this problem."""

_HASTE = 1.5  # of what hurried slots took so far, kept back for each one left: a plan needs all
_OVERTIME = 1.05  # of the time limit, in which hurried slots may still be decided
_SHARES = 1.3  # even shares of the time left that one slot may take


@dataclass(frozen=True)
class Dssda:
    """Solves every slot with proof, for the queues that it meets."""

    name: ClassVar[str] = "dssda"

    def solve(
        self, problem: SegmentScheduling, limits: SolveLimits, on_incumbent: OnIncumbent | None = None
    ) -> Result:
        """Decide all slots.

        Of several slots `on_incumbent` gets the sums over those decided so far. When time is up, or on an
        interrupt, the slots left keep the structures of the one before, with the best bands and powers.
        """
        info = SolverInfo(name=self.name, version="1", seed=limits.seed, workers=limits.workers)

        def body(search: Horizon) -> Ending:
            try:
                return _Run(search, on_incumbent).decide()
            except BackendError as error:
                return Ending(Stop.ERROR, detail=str(error))

        return run_search(body, problem, limits, info, None)


@dataclass
class _Run:
    """One pass over the horizon."""

    search: Horizon
    on_incumbent: OnIncumbent | None
    decisions: list[Decision] = field(default_factory=list)
    _is_hurried: bool = False
    _haste_s: float = 0.0

    def decide(self) -> Ending:
        """Decide every slot and close the search with the sums."""
        limits, problem = self.search.limits, self.search.problem
        infeasible = infeasibility(problem)
        if infeasible is not None:
            detail = infeasible.second_reason
            return Ending(Stop.PROOF, infeasible=True, conflicts=infeasible.conflicts, detail=detail)
        hints = self._hints()
        controller = Controller(problem, gap=max(limits.gap, OPTIMAL_GAP / 2), workers=limits.workers)
        try:
            for gains in problem.gains():
                if not self._has_time:
                    return self._out_of_time()
                if not self.decisions:
                    self._try_haste(controller, gains)
                self._step(controller, gains, next(hints, None))
        finally:
            controller.close()
        return self._close()

    def _hints(self) -> Iterator[SlotPlan]:
        """Slots of the warm start."""
        plan = self.search.limits.warm_start
        if isinstance(plan, SegmentPlan):
            self.search.options["warm_start"] = "structures of every slot are tried"
            yield from plan.slots

    @property
    def _slots_left(self) -> int:
        return self.search.problem.instance.control.slots - len(self.decisions)

    @property
    def _has_time(self) -> bool:
        """Whether another slot may be decided; the first always, and on an interrupt all."""
        limits = self.search.limits
        over = limits.started + _OVERTIME * limits.time_limit_s
        return time.monotonic() < over or self._is_hurried or not self.decisions

    def _try_haste(self, controller: Controller, gains: Gains) -> None:
        """Measure what a hurried slot takes, judging it in the end included."""
        state, begun = controller.state(), time.monotonic()
        for _ in range(2):  # the first loads what is needed
            begun = time.monotonic()
            controller.step(gains, until=begun)
            controller.restore(state)
        self._haste_s = _HASTE * (time.monotonic() - begun)

    def _step(self, controller: Controller, gains: Gains, hint: SlotPlan | None) -> None:
        now, limits = time.monotonic(), self.search.limits
        left_s = max(0.0, limits.work_until - now - self._haste_s * self._slots_left)
        until = now if self._is_hurried else now + min(left_s, _SHARES * left_s / self._slots_left)
        state = controller.state()
        try:
            decision = controller.step(gains, until=until, hint=hint, on_better=self._on_better)
        except KeyboardInterrupt:
            if self._is_hurried:
                raise
            controller.restore(state)
            decision, self._is_hurried = controller.step(gains, until=now, hint=hint), True
        self._is_hurried |= decision.interrupted
        self.decisions.append(decision)
        self._tell()

    @property
    def _on_better(self) -> OnBetter | None:
        """Of a single slot, plans and bounds are told as they come."""
        if self.search.problem.instance.control.slots > 1:
            return None

        def on_better(objective: float | None, bound: float | None) -> None:
            self._record(objective, bound)

        return on_better

    def _tell(self) -> None:
        """Tell the sums so far, until that ends the search."""
        slots = self.search.problem.instance.control.slots
        if self.on_incumbent is None or slots == 1 or self._is_hurried:
            return
        incumbent = Incumbent(
            runtime_s=self.search.limits.elapsed_s,
            objective=math.fsum(entry.objective for entry in self.decisions),
            bound=math.fsum(entry.bound for entry in self.decisions),
        )
        try:
            self.on_incumbent(incumbent)
        except (KeyboardInterrupt, EnoughError):
            self._is_hurried = True

    def _record(self, objective: float | None, bound: float | None) -> None:
        incumbent = Incumbent(runtime_s=self.search.limits.elapsed_s, objective=objective, bound=bound)
        self.search.history.append(incumbent)
        if self.on_incumbent is not None:
            self.on_incumbent(incumbent)

    def _out_of_time(self) -> Ending:
        slots = self.search.problem.instance.control.slots
        decided = f"time was up after {len(self.decisions)} of {slots} slots, and a plan has all of them"
        return Ending(Stop.TIME_LIMIT, detail=f"{decided}; allow more time or fewer slots")

    def _close(self) -> Ending:
        search, gap = self.search, max(self.search.limits.gap, OPTIMAL_GAP)
        plan = SegmentPlan(
            slots=tuple(decision.plan for decision in self.decisions),
            slot_bounds=tuple(decision.bound for decision in self.decisions),
        )
        claimed = math.fsum(decision.objective for decision in self.decisions)
        if not search.offer(plan, claimed=claimed):
            raise BackendError("the problem refuses the plan that the controller made")
        search.tighten_bound(math.fsum(decision.bound for decision in self.decisions))
        proven = all(decision.is_optimal for decision in self.decisions)
        reached = all(decision.gap <= gap for decision in self.decisions)
        open_slots = sum(decision.gap > gap for decision in self.decisions)
        detail = (
            f"{open_slots} of {len(self.decisions)} slots were not solved to the gap" if open_slots else None
        )
        is_late = time.monotonic() >= self.search.limits.work_until - self._haste_s
        ended = Stop.TIME_LIMIT if is_late or len(self.decisions) > 1 else Stop.WORK_LIMIT
        stop = Stop.INTERRUPT if self._is_hurried else Stop.GAP if reached else ended
        return Ending(stop, detail=detail, proven=proven)
