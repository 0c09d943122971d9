"""Cheapest structures of one cluster for given prices, by the kernel's best-first search."""

from __future__ import annotations

import ctypes
import math
from dataclasses import dataclass

import numpy as np

from edgeplan.solvers.segment_scheduling.kernel.library import kernel
from edgeplan.solvers.segment_scheduling.slot_arrays import SlotArrays, Structure

MOST_WORK = 5_000_000


@dataclass(frozen=True)
class ClusterPrices:
    """What a cluster pays for a second of its latency and for a hertz of uplink; 0 if the band is its own."""

    second: float
    hertz: float


@dataclass(frozen=True)
class Priced:
    """Cheapest structures of a cluster for given prices.

    Parameters
    ----------
    structures
        In order of their bounds.
    bounds
        Proven least cost of each.
    bound
        Proven least cost of every structure that is not listed.
    """

    structures: tuple[Structure, ...]
    bounds: tuple[float, ...]
    bound: float

    @property
    def least(self) -> float:
        """Proven least cost of all structures."""
        return min((self.bound, *self.bounds))


def price_cluster(
    slot: SlotArrays,
    cluster: int,
    prices: ClusterPrices,
    micro_batches: range,
    *,
    cutoff: float,
    earned: float = 0.0,
    tolerance: float = 0.0,
    until: float = math.inf,
    most: int = 1,
    work: int = MOST_WORK,
) -> Priced:
    """Find the cheapest structure, or with `most` above 1 all below the cutoff.

    Parameters
    ----------
    micro_batches
        Numbers of micro-batches to look at.
    cutoff
        Cost from which on structures are of no interest.
    earned
        What each micro-batch takes off the cost.
    tolerance
        How far from proven the cheapest may be.
    until
        Monotonic time at which to end with what is proven then.
    most
        Most structures to list.
    work
        Most labels to place; a programme, over blocks or convex, counts as 300.
    """
    stages = slot.instance.max_stages
    rows = np.zeros((most, 2 + 2 * stages), dtype=np.int32)
    values, bounds = np.zeros(most), np.zeros(most)
    bound, done = ctypes.c_double(), ctypes.c_int64(work)
    listed = kernel().price_cluster(
        ctypes.byref(slot.structure),
        cluster,
        prices.second,
        prices.hertz,
        earned,
        micro_batches[0],
        micro_batches[-1],
        cutoff,
        tolerance,
        until,
        int(most > 1),
        most,
        stages,
        ctypes.byref(done),
        rows.ctypes.data,
        values.ctypes.data,
        bounds.ctypes.data,
        ctypes.byref(bound),
    )
    if listed < 0:
        raise MemoryError("pricing a cluster ran out of memory")
    return Priced(
        tuple(_structure_of(row, stages) for row in rows[:listed]),
        tuple(bounds[:listed].tolist()),
        bound.value,
    )


def bound_cluster(slot: SlotArrays, cluster: int, prices: ClusterPrices, *, cutoff: float) -> np.ndarray:
    """Quick lower bounds on the cost with 1, 2, ... micro-batches, at most the cutoff."""
    least = np.empty(slot.instance.problem.instance.training.max_micro_batches)
    failed = kernel().bound_cluster(
        ctypes.byref(slot.structure),
        cluster,
        prices.second,
        prices.hertz,
        cutoff,
        slot.instance.max_stages,
        least.ctypes.data,
    )
    if failed:
        raise MemoryError("bounding a cluster ran out of memory")
    return least


def row_of(structure: Structure, max_stages: int) -> np.ndarray:
    """Write a structure as the kernel's row: micro-batches, stages, devices, ends."""
    row = np.zeros(2 + 2 * max_stages, dtype=np.int32)
    stages = len(structure.devices)
    row[:2] = structure.micro_batches, stages
    row[2 : 2 + stages] = structure.devices
    row[2 + max_stages : 2 + max_stages + stages] = structure.ends
    return row


def _structure_of(row: np.ndarray, max_stages: int) -> Structure:
    micro_batches, stages = int(row[0]), int(row[1])
    devices = tuple(int(x) for x in row[2 : 2 + stages])
    ends = tuple(int(x) for x in row[2 + max_stages : 2 + max_stages + stages])
    return Structure(micro_batches, devices, ends)
