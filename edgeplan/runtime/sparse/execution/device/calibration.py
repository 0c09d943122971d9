"""How fast this machine trains, so that the steps of slower devices can be told.

With the kernel's emulation a device has the quota with which the largest update on offer takes as long as
the instance says. Otherwise as many processes as there are devices share the cores of one machine, and a
device's speed is not imitated: processor time is measured, which does not grow when others compete, and is
stretched by one factor a device, found with the largest update on offer. Whether smaller updates then follow
their FLOPs is measured, not imposed.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from itertools import cycle, islice

from edgeplan.models.sparse_update import SparseUpdateInstance
from edgeplan.models.sparse_update.plan import DevicePlan
from edgeplan.models.sparse_update.plan_cost import device_cost
from edgeplan.runtime.emulation.pace import MACHINE, Pace
from edgeplan.runtime.processes.stopwatch import Spent, Stopwatch
from edgeplan.runtime.sparse.execution.device.material import Material
from edgeplan.runtime.sparse.execution.device.replica import Replica
from edgeplan.runtime.sparse.workload import Batch

UNTIMED_STEPS = 2
TIMED_STEPS = 10
LEAST_VISITS = 3
PAUSE_S = 0.1
CALIBRATION_BATCHES = 4


def timed_step(replica: Replica, batch: Batch) -> tuple[float, Spent]:
    """Take a step, and return its loss and what it took."""
    stopwatch = Stopwatch()
    loss = replica.train(batch)
    return loss, stopwatch.read()


def time_steps(
    material: Material,
    trained: DevicePlan,
    batches: Sequence[Batch],
    local_steps: int,
    meet: Callable[[], None],
    pace: Pace = MACHINE,
) -> Spent:
    """Time a step at a pace, after some to warm up: the median over visits.

    A visit begins as a round's does: all devices at once, by `meet`, and with cold caches. Work that begins
    at once takes more of the processor, all the time, than work that others happen to leave room for.
    """
    replica, coming = Replica(material, trained), cycle(batches)
    for batch in islice(coming, UNTIMED_STEPS):
        replica.train(batch)
    num_steps = min(local_steps, TIMED_STEPS)
    visits = []
    for _ in range(max(LEAST_VISITS, TIMED_STEPS // num_steps)):
        time.sleep(PAUSE_S)
        meet()
        stopwatch = Stopwatch()
        with pace.kept():
            spent = [timed_step(replica, batch)[1] for batch in islice(coming, num_steps)]
        wall_s = stopwatch.read().wall_s / num_steps  # with the pauses of the pace
        visits.append(Spent(wall_s, statistics.fmean(step.processor_s for step in spent)))
    wall_s = statistics.median(visit.wall_s for visit in visits)
    return Spent(wall_s, statistics.median(visit.processor_s for visit in visits))


def calibration_batches(material: Material, rank: int) -> list[Batch]:
    """Return the batches on which a device's steps are timed."""
    return [material.batch(rank, step) for step in range(CALIBRATION_BATCHES)]


def flops_of(instance: SparseUpdateInstance, device: int, trained: DevicePlan) -> float:
    """FLOPs of a step, equation (2)."""
    return device_cost(instance, device, trained).step_s * instance.devices[device].flops_per_s
