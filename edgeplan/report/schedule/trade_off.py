"""What a sweep shows: how latency falls towards the bound, and queues grow, as time gets dearer."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgeplan.models.segment_scheduling.sweep import Sweep, SweepPoint
from edgeplan.report.units import UNKNOWN, counted, seconds_text

STATIONARY = 0.02
"""Share by which a budget may be exceeded late for a run to count as stationary."""
FEWEST = 3
"""Points from which on an exponent is fitted."""

Place = tuple[float, float]


@dataclass(frozen=True)
class TradeOff:
    """The points of a sweep beside the best of their bounds.

    Every bound of the second half holds for any policy that keeps the budgets there, whatever its V, so the
    largest counts.
    """

    points: Sequence[SweepPoint]

    @classmethod
    def of(cls, sweep: Sweep) -> TradeOff:
        """Take the points of a sweep in ascending order of V."""
        return cls(sorted(sweep.points, key=lambda point: point.tradeoff))

    @property
    def best_bound_s(self) -> float | None:
        """Largest bound of the second half; None where none says more than that time is not negative."""
        best_s = max((point.late_bound_s for point in self.points), default=0.0)
        return best_s if best_s > 0 else None

    def excess_s(self, point: SweepPoint) -> float | None:
        """Late mean latency above the best bound, below 0 where a run undercuts it; None without a bound."""
        return None if self.best_bound_s is None else point.late_latency_s - self.best_bound_s

    @property
    def excesses(self) -> list[Place]:
        """V and excess in seconds, of the points that do not undercut the bound."""
        pairs = ((point.tradeoff, self.excess_s(point)) for point in self.points)
        return [(tradeoff, excess_s) for tradeoff, excess_s in pairs if excess_s is not None and excess_s > 0]

    @property
    def run_excesses(self) -> list[Place]:
        """V and mean latency above the bound of the run, in seconds, where that bound says anything."""
        pairs = ((point.tradeoff, run_excess_s(point)) for point in self.points)
        return [(tradeoff, excess_s) for tradeoff, excess_s in pairs if excess_s is not None and excess_s > 0]

    @property
    def queues(self) -> list[Place]:
        """V and late queues in budgets, where there are any."""
        return [(point.tradeoff, point.late_queue) for point in self.points if point.late_queue > 0]

    @property
    def grown_queues(self) -> list[Place]:
        """The same behind the least, from twice it on: before, fading makes queues of its own."""
        at, least = min(self.queues, key=lambda place: place[1], default=(0.0, 0.0))
        return [(tradeoff, queue) for tradeoff, queue in self.queues if tradeoff > at and queue >= 2 * least]

    @property
    def undercutting(self) -> list[SweepPoint]:
        """Points below the best bound, which only a run that exceeds budgets can be."""
        return [point for point in self.points if (self.excess_s(point) or 0.0) < 0]

    @property
    def unsettled(self) -> list[SweepPoint]:
        """Points whose budgets are still exceeded late."""
        return [point for point in self.points if not is_settled(point)]

    def findings(self) -> Iterator[str]:
        """Say in sentences how the curves run; of the late ones only over stationary points."""
        settled = {point.tradeoff for point in self.points if is_settled(point)}
        late = [place for place in self.excesses if place[0] in settled]
        yield _finding("Mean latency above the bound of its run", self.run_excesses, "O(1/V)")
        yield _finding("Late latency above its bound, stationary runs", late, "O(1/V)")
        yield _finding("Late queues, where they have grown", self.grown_queues, "O(V)")


def _finding(what: str, places: Sequence[Place], theory: str) -> str:
    exponent = slope(places)
    if exponent is None:
        return (
            f"{what}: {counted(len(places), 'point')} above 0, too few to fit a power; theory has {theory}."
        )
    return f"{what}: like V^{exponent:.2f} over {counted(len(places), 'point')}; theory has {theory}."


def is_settled(point: SweepPoint) -> bool:
    """Say whether every budget is kept late, within the tolerance."""
    return point.late_violation <= STATIONARY


def run_excess_s(point: SweepPoint) -> float | None:
    """Mean latency above the bound of the run, which holds without any settling; None below 0 s."""
    return point.mean_latency_s - point.run_bound_s if point.run_bound_s > 0 else None


def slope(places: Sequence[Place]) -> float | None:
    """Exponent of the power of V that fits best; None with fewer than three points.

    Examples
    --------
    >>> slope([(0.1, 3.0), (1.0, 30.0), (10.0, 300.0)]), slope([(1.0, 2.0)])
    (1.0, None)
    """
    if len(places) < FEWEST:
        return None
    xs, ys = ([math.log(value) for value in values] for values in zip(*places, strict=True))
    return round(statistics.linear_regression(xs, ys).slope, 6)


def bound_text(bound_s: float) -> str:
    """Write a bound; one below 0 says nothing."""
    return seconds_text(bound_s) if bound_s > 0 else "below 0"


def excess_text(trade_off: TradeOff, point: SweepPoint) -> str:
    """Write late latency above the best bound, as a share of the bound."""
    excess_s, best_s = trade_off.excess_s(point), trade_off.best_bound_s
    return UNKNOWN if excess_s is None or best_s is None else hundredths_text(excess_s / best_s)


def hundredths_text(share: float) -> str:
    """Write a share in per cent to the second place.

    Examples
    --------
    >>> hundredths_text(0.0962), hundredths_text(7.05e-4), hundredths_text(9.0), hundredths_text(0.0)
    ('9.62 %', '0.07 %', '900 %', '0 %')
    """
    return f"{round(100 * share, 2) + 0.0:,.6g} %"
