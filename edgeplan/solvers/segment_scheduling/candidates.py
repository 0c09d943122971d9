"""Some structures of one cluster as convex programmes, bounded quickly and solved tightly for any prices."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edgeplan.solvers.segment_scheduling.kernel.library import Programme, Solved, kernel
from edgeplan.solvers.segment_scheduling.pricing import ClusterPrices, row_of
from edgeplan.solvers.segment_scheduling.slot_arrays import SlotArrays, Structure


@dataclass(frozen=True, slots=True)
class Column:
    """A decision of one cluster: seconds, hertz, cost of its energy, and the structure."""

    structure: Structure
    latency_s: float
    band_hz: float
    cost: float

    def price(self, prices: ClusterPrices) -> float:
        """What the decision costs for these prices."""
        return self.cost + prices.second * self.latency_s + prices.hertz * self.band_hz


def programme_of(slot: SlotArrays, cluster: int, structure: Structure) -> Programme:
    """Build the convex programme of a structure."""
    programme, stages = Programme(), slot.instance.max_stages
    row = row_of(structure, stages)
    kernel().build_programme(
        ctypes.byref(slot.structure), cluster, row.ctypes.data, stages, ctypes.byref(programme)
    )
    return programme


class Candidates:
    """Some structures of one cluster.

    Parameters
    ----------
    slot, cluster
        Where.
    structures
        Which.
    """

    def __init__(self, slot: SlotArrays, cluster: int, structures: tuple[Structure, ...]) -> None:
        self.structures = structures
        count = len(structures)
        self._programmes = (Programme * count)(*(programme_of(slot, cluster, s) for s in structures))
        self._solved = (Solved * count)()
        for solved in self._solved:
            solved.latency_price = 1.0

    def least(self, chosen: np.ndarray, prices: ClusterPrices) -> np.ndarray:
        """Proven least cost of the chosen ones; quick, from the multipliers of their last solutions."""
        chosen, least = np.ascontiguousarray(chosen, dtype=np.int32), np.empty(len(chosen))
        kernel().certify_all(
            self._programmes,
            self._solved,
            chosen.ctypes.data,
            len(chosen),
            prices.second,
            prices.hertz,
            least.ctypes.data,
        )
        return least

    def settle(self, index: int, prices: ClusterPrices) -> tuple[float, Column | None]:
        """Proven least cost of one, now tight, and the decision that attains it."""
        programme, solved, hertz = self._programmes[index], self._solved[index], ctypes.c_double()
        done = kernel().solve_programmes(
            ctypes.byref(programme),
            1,
            0.0,
            0.0,
            prices.second,
            prices.hertz,
            ctypes.byref(solved),
            ctypes.byref(hertz),
        )
        if not done:
            return -np.inf, None  # nothing is proven
        bound = kernel().certified_cost(
            ctypes.byref(programme), ctypes.byref(solved), prices.second, prices.hertz
        )
        column = Column(self.structures[index], solved.latency_s, solved.uplink_band_hz, solved.cost)
        return float(bound), column

    @cached_property
    def micro_batches(self) -> np.ndarray:
        """Micro-batches of each."""
        return np.array([structure.micro_batches for structure in self.structures])

    @cached_property
    def paces_s(self) -> np.ndarray:
        """Latency of each that no band or power can shorten."""
        return np.array([p.fixed_s + p.repeats * p.busiest_s for p in self._programmes])
