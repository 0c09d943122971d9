"""One slot, solved with proof: prices, structures for them, and branching on what the bound leaves.

The clusters meet in T, in the uplink band and in the noise. For any prices of a cluster's latency (they sum
up to that of T), of a hertz of uplink and of a micro-batch, the cheapest structures of the clusters, each
for itself, bound the slot from below. Fixed structures are one convex programme, whose multipliers are such
prices; between them a linear programme over the decisions met says where the bound may still rise. What
gap the discrete choices leave is closed by listing every structure that the bound does not exclude, and
branching on these lists.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field

from edgeplan.solvers.segment_scheduling.candidates import Column
from edgeplan.solvers.segment_scheduling.dual_master import SlotPrices
from edgeplan.solvers.segment_scheduling.slot_arrays import SlotArrays, Structure
from edgeplan.solvers.segment_scheduling.together import Noise, Structures, Together, solve_together

OnBetter = Callable[[float | None, float | None], None]
"""Called with the best objective and bound so far."""

_LEAST_PRICE = 1e-9  # of a cluster's latency, relative to that of T: for one that never waits


@dataclass(frozen=True)
class Before:
    """What a slot leaves to the next: best prices, cheapest structures for them, all micro-batches."""

    prices: SlotPrices
    structures: Mapping[int, tuple[Structure, ...]]
    micro_batches: int


@dataclass
class SlotSearch:
    """What is known of one slot.

    Parameters
    ----------
    slot
        The slot.
    noise
        Cost of the noise, by micro-batches of all clusters that take part.
    gap
        Relative gap at which to stop.
    until
        Monotonic time at which to stop.
    pool
        Where clusters are priced side by side; None in turn.
    """

    slot: SlotArrays
    noise: Noise
    gap: float
    until: float
    pool: Executor | None = None
    best: Together | None = None
    bound: float | None = None
    on_better: OnBetter | None = None
    met: Before | None = None
    """What the next slot may begin from."""
    _evaluated: dict[tuple[Structure, ...], Together | None] = field(default_factory=dict)

    def evaluate(self, structures: Structures) -> Together | None:
        """Solve the structures together, once, and keep the result if it is the best."""
        key = tuple(structures.values())
        if key not in self._evaluated:
            self._evaluated[key] = found = solve_together(self.slot, structures, self.noise)
            if found is not None and (self.best is None or found.objective < self.best.objective):
                self.best = found
                self._tell()
        return self._evaluated[key]

    def tighten_bound(self, bound: float) -> None:
        """Keep a proven lower bound if it is better."""
        if self.bound is None or bound > self.bound:
            self.bound = bound
            self._tell()

    def _tell(self) -> None:
        if self.on_better is not None:
            self.on_better(None if self.best is None else self.best.objective, self.bound)

    @property
    def reached(self) -> float | None:
        """Relative gap, None where it is unknown."""
        if self.best is None or self.bound is None:
            return None
        return max(0.0, self.best.objective - self.bound) / max(1e-12, abs(self.best.objective))

    @property
    def is_done(self) -> bool:
        """Whether the gap asked for is reached."""
        return self.reached is not None and self.reached <= self.gap

    @property
    def is_late(self) -> bool:
        """Whether time is up."""
        return time.monotonic() >= self.until

    @property
    def band_hz(self) -> float:
        """Uplink band of all clusters."""
        return self.slot.instance.problem.instance.uplink_bandwidth_hz

    def prices_of(self, together: Together) -> SlotPrices:
        """Return the multipliers of a joint solution as prices, none of them 0; one cluster has the band."""
        tradeoff = self.slot.prices.second
        if len(together.second) == 1:
            return SlotPrices(dict.fromkeys(together.second, tradeoff), 0.0)
        raised = {n: max(price, _LEAST_PRICE * tradeoff) for n, price in together.second.items()}
        scale = tradeoff / sum(raised.values())
        least = 1e-12 * tradeoff * together.latency_s / self.band_hz if self.band_hz > 0 else 0.0
        return SlotPrices(
            {n: scale * price for n, price in raised.items()}, max(together.hertz, least, 1e-300)
        )

    def columns_of(self, together: Together) -> dict[int, Column]:
        """Return the decisions of a joint solution."""
        return {
            n: Column(together.structures[n], solved.latency_s, solved.uplink_band_hz, solved.cost)
            for n, solved in together.solved.items()
        }
