"""How fast this machine trains, so that the steps of slower devices can be told.

As many processes as there are devices share the cores of one machine, so a device's speed is not imitated:
processor time is measured, which does not grow when others compete, and is stretched by one factor a device,
found with the largest update on offer. Whether smaller updates then follow their FLOPs is measured, not
imposed.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from edgeplan.models.sparse_update import SparseUpdateInstance
from edgeplan.models.sparse_update.plan import DevicePlan
from edgeplan.models.sparse_update.plan_cost import device_cost
from edgeplan.runtime.snake.device.clock import Spent, Stopwatch
from edgeplan.runtime.sparse.execution.device.material import Material
from edgeplan.runtime.sparse.execution.device.replica import Replica
from edgeplan.runtime.sparse.workload import Batch

UNTIMED_STEPS = 2
TIMED_STEPS = 10


def timed_step(replica: Replica, batch: Batch) -> tuple[float, Spent]:
    """Take a step, and return its loss and what it took."""
    stopwatch = Stopwatch()
    loss = replica.train(batch)
    return loss, stopwatch.read()


def time_steps(material: Material, trained: DevicePlan, batches: Sequence[Batch]) -> float:
    """Processor seconds of a step: the median, after some to warm up."""
    replica = Replica(material, trained)
    steps = range(UNTIMED_STEPS + TIMED_STEPS)
    spent = [timed_step(replica, batches[step % len(batches)])[1] for step in steps]
    return statistics.median(step.processor_s for step in spent[UNTIMED_STEPS:])


def flops_of(instance: SparseUpdateInstance, device: int, trained: DevicePlan) -> float:
    """FLOPs of a step, equation (2)."""
    return device_cost(instance, device, trained).step_s * instance.devices[device].flops_per_s
