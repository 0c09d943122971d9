"""How many times slower than the instance a run must be, for all devices at once to be emulated here."""

from __future__ import annotations

from dataclasses import replace

from edgeplan.models.sparse_update.plan_cost import device_cost
from edgeplan.runtime.emulation.holding import slower_for
from edgeplan.runtime.emulation.modes import KERNEL
from edgeplan.runtime.profiling.trial import threads_limited
from edgeplan.runtime.sparse.execution.device.calibration import calibration_batches, time_steps
from edgeplan.runtime.sparse.execution.device.material import Material
from edgeplan.runtime.sparse.execution.job import Job
from edgeplan.runtime.sparse.execution.phases import largest_update


def slowed(job: Job) -> Job:
    """Settle the factor of a job whose settings leave it open, from a trial in this process."""
    if job.settings.emulation != KERNEL or job.settings.slower is not None:
        return job
    instance = job.problem.instance
    material = Material.of(job.workload, instance.training.batch_size)
    largest = largest_update(instance)
    with threads_limited(job.settings.threads):
        batches, local_steps = calibration_batches(material, 0), job.settings.local_steps
        processor_s = time_steps(material, largest[0], batches, local_steps, _alone).processor_s
    wanted_s = (device_cost(instance, rank, trained).step_s for rank, trained in enumerate(largest))
    slower = slower_for([processor_s / step_s for step_s in wanted_s])
    job = replace(job, settings=replace(job.settings, slower=slower))
    job.write()
    return job


def _alone() -> None:
    """Meet nobody."""
