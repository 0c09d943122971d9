"""What labels carry: numbers that never fall along a walk, and that no smaller start makes larger.

So a label that is at least as good in all of them stays so, whatever follows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from edgeplan.models.network import Window
from edgeplan.models.numbers import LIMIT_TOLERANCE
from edgeplan.solvers.layer_assignment.steps.stage_table import Floats, Ints

_ROUNDING = 1e-12  # relative; a window that is missed by less is left to the problem's judgement


@dataclass(frozen=True)
class Steps:
    """Every way to go on from some labels of one position: runs x labels x types.

    Parameters
    ----------
    rows
        Rows of the runs in the stage table, shape [runs].
    groups
        What the last node of each label is to its neighbour, shape [labels].
    types
        Types that may serve, shape [types].
    """

    rows: Ints
    groups: Ints
    types: Ints


@dataclass(frozen=True)
class Amounts:
    """An additive figure of steps: of the stage, and of the transfer between it and its neighbour.

    Parameters
    ----------
    own
        Of the stage alone, shape [runs, types].
    latency
        Of the transfer whatever its size, shape [groups, types].
    per_bit
        Of one bit more, shape [groups, types].
    bits
        Bits of the transfer, shape [runs].
    """

    own: Floats
    latency: Floats
    per_bit: Floats
    bits: Floats

    def transfer(self, steps: Steps) -> Floats:
        """Return the figure of the transfers, shape [runs, labels, types]."""
        pairs = np.ix_(steps.groups, steps.types)
        return np.asarray(self.latency[pairs] + self.bits[steps.rows, None, None] * self.per_bit[pairs])

    def of(self, steps: Steps) -> Floats:
        """Return the figure of whole steps, shape [runs, labels, types]."""
        return np.asarray(self.own[np.ix_(steps.rows, steps.types)][:, None, :] + self.transfer(steps))

    def weighted(self, weight: float) -> Amounts:
        """Return a multiple."""
        return Amounts(weight * self.own, weight * self.latency, weight * self.per_bit, self.bits)

    def plus(self, other: Amounts) -> Amounts:
        """Return the sum with another figure of the same transfers."""
        return Amounts(
            self.own + other.own,
            self.latency + other.latency,
            self.per_bit + other.per_bit,
            self.bits,
        )


class Criterion(Protocol):
    """One number of a label, or two that belong together."""

    @property
    def start(self) -> tuple[float, ...]:
        """Numbers of the empty walk."""

    @property
    def additive(self) -> Amounts | None:
        """Least that a step adds to the first number; None is nothing."""

    def after(self, before: Floats, steps: Steps) -> Floats:
        """Return the numbers behind each step.

        Parameters
        ----------
        before
            Shape [labels, numbers].

        Returns
        -------
        Floats
            Shape [runs, labels, types, numbers].
        """


@dataclass(frozen=True)
class Sum:
    """A cost that adds up."""

    additive: Amounts

    start = (0.0,)

    def after(self, before: Floats, steps: Steps) -> Floats:
        """Add each step's amount."""
        return np.asarray(before[None, :, None, :] + self.additive.of(steps)[..., None])


@dataclass(frozen=True)
class Missing:
    """What the used nodes still lack, such as samples."""

    need: float
    held: Floats

    additive = None

    @property
    def start(self) -> tuple[float, ...]:
        """All of it."""
        return (self.need,)

    def after(self, before: Floats, steps: Steps) -> Floats:
        """Subtract what each node holds."""
        left = np.maximum(0.0, before[:, 0][:, None] - self.held[steps.types][None, :])
        return np.repeat(left[None, :, :, None], len(steps.rows), axis=0)


@dataclass(frozen=True)
class LargestCompute:
    """The largest compute time of a stage, and with `transfer` the largest of them and of the transfers."""

    amounts: Amounts
    transfers_too: bool

    start = (0.0,)
    additive = None

    def after(self, before: Floats, steps: Steps) -> Floats:
        """Take the larger of before and now."""
        now = self.amounts.own[np.ix_(steps.rows, steps.types)][:, None, :]
        if self.transfers_too:
            now = np.maximum(now, self.amounts.transfer(steps))
        return np.maximum(before[None, :, None, :], now[..., None])


@dataclass(frozen=True)
class LargestBusy:
    """The largest (transfer in + compute + transfer out); the second number is what is still open.

    Walks go from the last stage to the first, so the transfer in comes after the stage.
    """

    amounts: Amounts

    start = (0.0, 0.0)
    additive = None

    def after(self, before: Floats, steps: Steps) -> Floats:
        """Close the stage before with the transfer to it, and open this one with the same transfer."""
        transfer = self.amounts.transfer(steps)
        closed = np.maximum(before[None, :, 0, None], before[None, :, 1, None] + transfer)
        opened = transfer + self.amounts.own[np.ix_(steps.rows, steps.types)][:, None, :]
        return np.stack([np.maximum(closed, opened), opened], axis=-1)


@dataclass(frozen=True)
class Clock:
    """Time when nodes wait for windows (7); earlier is never worse, since waiting is allowed.

    Parameters
    ----------
    arriving
        Transfer in; its own part is zero.
    compute_s, leaving_s
        Compute time and transfer out, shape [runs, types].
    windows
        Of each type; None is always.
    """

    arriving: Amounts
    compute_s: Floats
    leaving_s: Floats
    windows: tuple[tuple[Window, ...] | None, ...]

    start = (0.0,)

    @cached_property
    def additive(self) -> Amounts:
        """Time without waiting."""
        amounts = self.arriving
        return Amounts(self.compute_s + self.leaving_s, amounts.latency, amounts.per_bit, amounts.bits)

    def after(self, before: Floats, steps: Steps) -> Floats:
        """Compute as early as a window lets it, infinitely late where none does."""
        ready = before[None, :, 0, None] + self.arriving.transfer(steps)
        computing = self.compute_s[np.ix_(steps.rows, steps.types)][:, None, :]
        for place, kind in enumerate(steps.types):
            spans = self.windows[kind]
            if spans is not None:
                ready[..., place] = _earliest(ready[..., place], computing[..., place], spans)
        ended = ready + computing + self.leaving_s[np.ix_(steps.rows, steps.types)][:, None, :]
        return np.asarray(ended[..., None])


def _earliest(ready: Floats, computing: Floats, spans: tuple[Window, ...]) -> Floats:
    begin = np.full(ready.shape, math.inf)
    for opens, closes in reversed(spans):
        latest = closes + LIMIT_TOLERANCE * max(1.0, closes)
        here = np.maximum(ready, opens)
        begin = np.where(here + computing <= latest * (1 + _ROUNDING), here, begin)
    return begin
