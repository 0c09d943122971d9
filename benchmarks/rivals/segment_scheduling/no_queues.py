"""No queues: every slot is decided for its own latency alone, V T, whatever was spent before.

With nothing to pay for noise, one micro-batch is the fastest; `fixed_micro_batches.py` has the greedy policy
that does the work the noise budget asks for.
"""

from __future__ import annotations

from benchmarks.rivals.segment_scheduling.policy import Decided, priced, relative_gap
from edgeplan.models.segment_scheduling import Gains, Queues, SegmentScheduling
from edgeplan.models.segment_scheduling.queues import budgets_j
from edgeplan.models.segment_scheduling.slot_cost import slot_cost
from edgeplan.solvers.segment_scheduling.slot_arrays import Prices
from edgeplan.solvers.segment_scheduling.slot_series import SlotSeries


def latency_alone(problem: SegmentScheduling) -> Prices:
    """Return V for a second, and nothing for energy and noise."""
    return Prices(problem.instance.control.tradeoff, dict.fromkeys(budgets_j(problem.instance), 0.0), 0.0)


class NoQueues:
    """Greedy in T.

    Parameters
    ----------
    problem
        The instance.
    gap
        Relative gap of every slot.
    """

    def __init__(self, problem: SegmentScheduling, gap: float) -> None:
        self._problem, self._series = problem, SlotSeries(problem, gap=gap)

    def decide(self, gains: Gains, queues: Queues, until: float) -> Decided:
        """Decide for latency alone."""
        prices = latency_alone(self._problem)
        answer = self._series.solve(prices, gains, until=until)
        cost = slot_cost(self._problem.segments, answer.plan, gains, queues)
        return Decided(answer.plan, relative_gap(priced(prices, cost), answer.bound))

    def notes(self) -> list[str]:
        """Say nothing."""
        return []
