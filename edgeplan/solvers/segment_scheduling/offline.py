"""What no policy can beat: the offline bound by Lagrange multipliers on the long-run budgets.

For multipliers l >= 0 any policy whose averages keep the budgets on these channels has

    mean T >= LB(l) = (1/slots) sum_t min [T + sum_k l_k (E_k/budget_k - 1) + l_Z (G/noise_budget - 1)]

Each minimum is a slot problem with V = 1, of which a proven lower bound serves. A run that ends with longer
queues than it began with may undercut it, by sum_k l_k (Q_end - Q_start) / (slots budget_k) at most, likewise
for the noise.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from edgeplan.models.segment_scheduling import Queues, SegmentScheduling
from edgeplan.models.segment_scheduling.queues import budgets_j
from edgeplan.models.segment_scheduling.slot_cost import SlotCost
from edgeplan.solvers.segment_scheduling.slot_arrays import Prices
from edgeplan.solvers.segment_scheduling.slot_series import SlotSeries

GAP = 1e-3  # of the slot problems; the bound pays for it, the multipliers cost more


@dataclass(frozen=True)
class Multipliers:
    """Prices of the budgets in seconds: of each energy budget, and of the noise budget."""

    energy: Mapping[str, float]
    noise: float

    @classmethod
    def of_run(cls, problem: SegmentScheduling, costs: Sequence[SlotCost]) -> Multipliers:
        """Return the mean queues of the second half, ``Q / (V budget)``: what the controller paid."""
        late = costs[len(costs) // 2 :]
        control = problem.instance.control
        energy = {
            name: math.fsum(cost.queues.energy_j[name] for cost in late)
            / len(late)
            / control.tradeoff
            / budget
            for name, budget in budgets_j(problem.instance).items()
        }
        noise = math.fsum(cost.queues.noise for cost in late) / len(late)
        return cls(energy, noise / control.tradeoff / control.noise_budget)

    @property
    def total(self) -> float:
        """Sum of all."""
        return math.fsum(self.energy.values()) + self.noise

    def prices(self, problem: SegmentScheduling) -> Prices:
        """Weights of the slot problems."""
        budgets = budgets_j(problem.instance)
        joule = {name: price / budgets[name] for name, price in self.energy.items()}
        return Prices(1.0, joule, self.noise / problem.instance.control.noise_budget)

    def of_queues(self, problem: SegmentScheduling, start: Queues, end: Queues) -> float:
        """Seconds by which a run may undercut the bound, in the mean of its slots."""
        budgets, control = budgets_j(problem.instance), problem.instance.control
        grown = [
            price * (end.energy_j[name] - start.energy_j[name]) / budgets[name]
            for name, price in self.energy.items()
        ]
        noise = self.noise * (end.noise - start.noise) / control.noise_budget
        return (math.fsum(grown) + noise) / control.slots


def offline_bounds_s(
    problem: SegmentScheduling, multipliers: Multipliers, *, workers: int = 1, until: float = math.inf
) -> list[float]:
    """Return what each slot adds to LB(l) in seconds: the mean over some of them is LB(l) of these slots.

    Slots for which no time is left count with what is trivial.
    """
    with closing(SlotSeries(problem, gap=GAP, workers=workers)) as series:
        bounds = list(_bounds(series, multipliers.prices(problem), until))
    return [bound - multipliers.total for bound in bounds]


def _bounds(series: SlotSeries, prices: Prices, until: float) -> Iterable[float]:
    problem = series.problem
    slots = problem.instance.control.slots
    for t, gains in enumerate(problem.gains()):
        now = time.monotonic()
        share_s = 3 * max(0.0, until - now) / (slots - t)
        yield series.solve(prices, gains, until=min(until, now + share_s)).bound
