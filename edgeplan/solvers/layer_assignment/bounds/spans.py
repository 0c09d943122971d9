"""Bounds and pruning where the bottleneck counts: its possible values split into spans.

A plan whose bottleneck lies between a and b takes no step above b and pays for a at least, so the
relaxation of a narrow span is far stronger than that of all plans. The span with the lowest bound is
split until its bound reaches the target, or nothing is left to split; what each relaxation finds no use
for is left out of the next.
"""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from edgeplan.models.result import OPTIMALITY_GAP
from edgeplan.solvers.layer_assignment.bounds.relaxation import ROUNDING, Ascent, Relaxation, Span
from edgeplan.solvers.layer_assignment.steps.arcs import Arcs
from edgeplan.solvers.layer_assignment.steps.stage_table import Bools, Floats

_FEW_STEPS = 20  # subgradient steps that often suffice
_FARTHEST = 1.3  # upper end of a lower half in its lower ends: short spans have few steps

Explore = Callable[[Relaxation, Ascent], None]


@dataclass(frozen=True)
class Narrowed:
    """What is proven of all plans at most as dear as a target.

    Parameters
    ----------
    bound
        Their objective is at least this; the target where there are none.
    useful
        They take no other steps than these, shape [runs, classes, nodes].
    """

    bound: float
    useful: Bools


@dataclass(frozen=True, order=True)
class _Part:
    """A span with its bound, and the relaxation of all up to its upper end with its multipliers.

    `kept` are the steps that its plans may take.
    """

    bound: float
    span: Span = field(compare=False)
    ascent: Ascent = field(compare=False)
    kept: Bools = field(compare=False, repr=False)


@dataclass(frozen=True)
class Narrowing:
    """Raises the bound and excludes steps with a proof.

    Parameters
    ----------
    arcs
        Steps and costs.
    target
        Tells the objective of the best plan known, or another that plans should not exceed.
    deadline
        Monotonic time after which `OutOfTimeError` is raised.
    explore
        Called with every relaxation and its multipliers, which may lead to better plans.
    """

    arcs: Arcs
    target: Callable[[], float]
    deadline: float = math.inf
    explore: Explore | None = None

    def run(self, *, until: float) -> Narrowed:
        """Narrow down, until `until` at most, a monotonic time.

        Raises
        ------
        OutOfTimeError
            When the deadline comes before a first bound.
        """
        parts = [self._whole(until)]
        if self.arcs.peak_weight > 0:
            parts = self._split(parts[0], until)
        useful, target = np.zeros(self.arcs.allowed.shape, dtype=bool), self.target()
        for part in parts:
            if part.bound <= target:
                useful |= self._relaxation(part.span, part.kept).useful_arcs(target, part.ascent)
        return Narrowed(min([target, *(part.bound for part in parts)]), useful)

    def _relaxation(self, span: Span, kept: Bools | None) -> Relaxation:
        return Relaxation(self.arcs, self.deadline, span, kept)

    def _whole(self, until: float) -> _Part:
        """All plans at most as dear as the target."""
        target, weight = self.target(), self.arcs.peak_weight
        span = Span(0.0, target / weight * (1 + ROUNDING)) if weight > 0 else Span()
        relaxation = self._relaxation(span, None)
        ascent = relaxation.ascend(target, until=until, max_steps=0 if weight > 0 else _FEW_STEPS)
        if weight == 0 and relaxation.bound(ascent.walk) < target * (1 - OPTIMALITY_GAP):
            priced = relaxation.priced(target, until=until)
            start = None if priced is None else priced.multipliers
            ascent = relaxation.ascend(target, until=until, multipliers=start)
        return self._part(relaxation, ascent)

    def _part(self, relaxation: Relaxation, ascent: Ascent) -> _Part:
        if self.explore is not None and ascent.walk is not None:
            self.explore(relaxation, ascent)
        kept = relaxation.useful_arcs(self.target(), ascent)
        return _Part(relaxation.bound(ascent.walk), relaxation.span, ascent, kept)

    def _split(self, whole: _Part, until: float) -> list[_Part]:
        """Split the span of the lowest bound, one after another; return the parts that may hold a plan."""
        values = np.unique(self.arcs.peak_s[whole.kept])
        values = values[values >= self._relaxation(whole.span, whole.kept).bottleneck_bound_s]
        parts, start = [whole], None
        while parts[0].bound <= self.target() and time.monotonic() < until:
            spans = _halves(parts[0].span, values)
            if spans is None:
                break
            part = heapq.heappop(parts)
            lower = self._lower(part, spans[0], start, until)
            if lower.bound > self.target():
                start = lower.ascent.multipliers
            heapq.heappush(parts, lower)
            heapq.heappush(parts, self._upper(part, spans[1]))
        return parts

    def _lower(self, part: _Part, span: Span, start: Floats | None, until: float) -> _Part:
        """Lower half of a part, with multipliers of its own."""
        relaxation, target = self._relaxation(span, part.kept), self.target()
        ascent = None
        if relaxation.is_small:
            ascent = relaxation.ascend(target, until=until, max_steps=_FEW_STEPS, multipliers=start)
        if ascent is None or relaxation.bound(ascent.walk) <= target:
            ascent = relaxation.priced(target, until=until) or ascent
        if ascent is None:
            ascent = relaxation.ascend(target, until=until, multipliers=start)
        lower = self._part(relaxation, ascent)
        return replace(lower, bound=max(lower.bound, part.bound))

    def _upper(self, part: _Part, span: Span) -> _Part:
        """Upper half of a part: the same steps and multipliers, but a dearer bottleneck."""
        bound = self._relaxation(span, part.kept).bound(part.ascent.walk)
        return replace(part, bound=max(bound, part.bound), span=span)


def _halves(span: Span, values: Floats) -> tuple[Span, Span] | None:
    """Spans of the lower and the upper values within a span; None where there is one value left."""
    first = int(np.searchsorted(values, span.least_s, side="left"))
    last = int(np.searchsorted(values, span.most_s, side="right")) - 1
    if last <= first:
        return None
    middle = min((values[first] + values[last]) / 2, _FARTHEST * values[first])
    lower = min(int(np.searchsorted(values, middle, side="right")) - 1, last - 1)
    return (
        Span(float(values[first]), float(values[lower])),
        Span(float(values[lower + 1]), float(values[last])),
    )
