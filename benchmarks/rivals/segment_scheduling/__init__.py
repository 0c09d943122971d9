"""Policies to compare the controller with, each in its own file, and the controller among them.

`POLICIES` has them by name, ``make(problem, gap)``; the gap is that of slots which a policy solves with
proof. All but `UNLIMITED` give legal plans.
"""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.rivals.segment_scheduling.best_allocation import BestAllocation
from benchmarks.rivals.segment_scheduling.dssda import Dssda
from benchmarks.rivals.segment_scheduling.equal_segments import equal_segments
from benchmarks.rivals.segment_scheduling.fixed_micro_batches import FixedMicroBatches
from benchmarks.rivals.segment_scheduling.full_power import FullPower, FullPowerOfController
from benchmarks.rivals.segment_scheduling.no_queues import NoQueues
from benchmarks.rivals.segment_scheduling.one_cut import OneCut
from benchmarks.rivals.segment_scheduling.one_device import OneDevice
from benchmarks.rivals.segment_scheduling.policy import Policy, asked_micro_batches
from benchmarks.rivals.segment_scheduling.speed_segments import speed_segments
from edgeplan.models.segment_scheduling import SegmentScheduling

Maker = Callable[[SegmentScheduling, float], Policy]

CONTROLLER, UNLIMITED = "controller", "one device, memory ignored"
FIXED = 8

POLICIES: dict[str, Maker] = {
    CONTROLLER: Dssda,
    "equal segments": lambda problem, gap: FullPower(problem, equal_segments(problem)),
    "by speed": lambda problem, gap: FullPower(problem, speed_segments(problem)),
    "one cut": lambda problem, gap: FullPower(problem, OneCut(problem)),
    UNLIMITED: lambda problem, gap: FullPower(problem, OneDevice(problem)),
    "full power": FullPowerOfController,
    "equal segments, else at best": lambda problem, gap: BestAllocation(problem, equal_segments(problem)),
    "by speed, else at best": lambda problem, gap: BestAllocation(problem, speed_segments(problem)),
    "one cut, else at best": lambda problem, gap: BestAllocation(problem, OneCut(problem)),
    f"{FIXED} micro-batches": lambda problem, gap: FixedMicroBatches(problem, FIXED, gap),
    "micro-batches as asked": lambda problem, gap: FixedMicroBatches(
        problem, asked_micro_batches(problem), gap
    ),
    "no queues": NoQueues,
    "no queues, micro-batches as asked": lambda problem, gap: FixedMicroBatches(
        problem, asked_micro_batches(problem), gap, heeds_queues=False
    ),
}
