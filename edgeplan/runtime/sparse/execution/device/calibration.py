"""How fast this machine trains, so that the steps of slower devices can be told.

With the kernel's emulation a device has the quota with which the largest update on offer takes as long as
the instance says. Otherwise as many processes as there are devices share the cores of one machine, and a
device's speed is not imitated: processor time is measured, which does not grow when others compete, and is
stretched by one factor a device, found with the largest update on offer. Whether smaller updates then follow
their FLOPs is measured, not imposed.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

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
CALIBRATION_BATCHES = 4


def timed_step(replica: Replica, batch: Batch) -> tuple[float, Spent]:
    """Take a step, and return its loss and what it took."""
    stopwatch = Stopwatch()
    loss = replica.train(batch)
    return loss, stopwatch.read()


def time_steps(
    material: Material, trained: DevicePlan, batches: Sequence[Batch], pace: Pace = MACHINE
) -> Spent:
    """Time a step at a pace, after some to warm up: the mean on the wall, the median of the processor."""
    replica = Replica(material, trained)
    for step in range(UNTIMED_STEPS):
        timed_step(replica, batches[step % len(batches)])
    stopwatch = Stopwatch()
    with pace.kept():
        steps = range(UNTIMED_STEPS, UNTIMED_STEPS + TIMED_STEPS)
        spent = [timed_step(replica, batches[step % len(batches)])[1] for step in steps]
    wall_s = stopwatch.read().wall_s / TIMED_STEPS  # with the pauses of the pace
    return Spent(wall_s, statistics.median(step.processor_s for step in spent))


def calibration_batches(material: Material, rank: int) -> list[Batch]:
    """Return the batches on which a device's steps are timed."""
    return [material.batch(rank, step) for step in range(CALIBRATION_BATCHES)]


def flops_of(instance: SparseUpdateInstance, device: int, trained: DevicePlan) -> float:
    """FLOPs of a step, equation (2)."""
    return device_cost(instance, device, trained).step_s * instance.devices[device].flops_per_s
