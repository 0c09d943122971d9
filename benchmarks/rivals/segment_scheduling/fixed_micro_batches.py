"""A fixed number of micro-batches, with otherwise the controller's optimisation, or latency alone.

The solver has no such limit, so the number is made the most allowed, and the noise is priced until no
cluster takes fewer. That adds to the objective what no decision moves; the gap asked is the tighter for it.
A cluster that still takes fewer cannot hold as many, or time was up; notes say where.
"""

from __future__ import annotations

from benchmarks.rivals.segment_scheduling.full_power import FullPower
from benchmarks.rivals.segment_scheduling.no_queues import latency_alone
from benchmarks.rivals.segment_scheduling.policy import Decided, priced, relative_gap
from benchmarks.rivals.segment_scheduling.speed_segments import speed_segments
from edgeplan.models.segment_scheduling import Gains, Queues, SegmentScheduling, SlotPlan
from edgeplan.models.segment_scheduling.slot_cost import slot_cost
from edgeplan.solvers.segment_scheduling.slot_arrays import Prices
from edgeplan.solvers.segment_scheduling.slot_series import SlotSeries

_SURPLUS = 1.2  # noise over what is saved at most, were all of it saved with the last micro-batches
_HARDER, _MOST_TRIES = 4.0, 6


def with_most(problem: SegmentScheduling, micro_batches: int) -> SegmentScheduling:
    """Return the instance with so many micro-batches at most, its noise budget widened if it must be."""
    document, control = problem.document, problem.instance.control
    samples = micro_batches * problem.instance.training.micro_batch_size * len(problem.instance.clusters)
    widened = max(control.noise_budget, control.noise_level / samples * (1 + 1e-12))
    return problem.replace(
        training=document["training"] | {"max_micro_batches": micro_batches},
        control=document["control"] | {"noise_budget": widened},
    )


class FixedMicroBatches:
    """The best decision with so many micro-batches in every cluster.

    Parameters
    ----------
    problem
        The instance.
    micro_batches
        How many.
    gap
        Relative gap of every slot, the price of the noise left out.
    heeds_queues
        Whether energy is priced by its queues; otherwise latency counts alone.
    """

    def __init__(
        self, problem: SegmentScheduling, micro_batches: int, gap: float, *, heeds_queues: bool = True
    ) -> None:
        self._problem, self._micro_batches, self._heeds_queues = problem, micro_batches, heeds_queues
        self._surplus = _SURPLUS * len(problem.instance.clusters)
        self._series = SlotSeries(with_most(problem, micro_batches), gap=gap / (1 + self._surplus))
        self._last: SlotPlan | None = None
        self._short: dict[str, int] = {}

    def decide(self, gains: Gains, queues: Queues, until: float) -> Decided:
        """Decide with the noise priced high enough."""
        noise = self._first_noise(gains, queues)
        for _ in range(_MOST_TRIES):
            prices = self._prices(queues, noise)
            answer = self._series.solve(prices, gains, until=until)
            if not self._fewer(answer.plan):
                break
            noise *= _HARDER
        for name in self._fewer(answer.plan):
            self._short[name] = self._short.get(name, 0) + 1
        self._last = answer.plan
        cost = slot_cost(self._problem.segments, answer.plan, gains, queues)
        moved = priced(prices, cost)
        return Decided(answer.plan, relative_gap(moved + noise * cost.noise, answer.bound, moved))

    def notes(self) -> list[str]:
        """Say which clusters took fewer."""
        return [f"{name}: fewer micro-batches in {count} slots" for name, count in self._short.items()]

    def _prices(self, queues: Queues, noise: float) -> Prices:
        own = Prices.of_queues(self._problem, queues) if self._heeds_queues else latency_alone(self._problem)
        return Prices(own.second, own.joule, noise)

    def _first_noise(self, gains: Gains, queues: Queues) -> float:
        """Price the noise by the decision of the slot before, or by segments in proportion to speed."""
        if self._last is None:
            self._last = FullPower(self._problem, speed_segments(self._problem)).decide(gains, queues, 0).plan
        cost = slot_cost(self._problem.segments, self._last, gains, queues)
        return self._surplus * priced(self._prices(queues, 0.0), cost) / cost.noise

    def _fewer(self, plan: SlotPlan) -> list[str]:
        return [entry.id for entry in plan.clusters if entry.micro_batches != self._micro_batches]
