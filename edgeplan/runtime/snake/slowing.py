"""How many times slower than the instance a run must be, for its fastest node to be emulated here."""

from __future__ import annotations

from dataclasses import replace

from edgeplan.runtime.emulation.holding import slower_for
from edgeplan.runtime.emulation.modes import KERNEL
from edgeplan.runtime.learning.calibration import slowdown_of
from edgeplan.runtime.profiling.trial import threads_limited
from edgeplan.runtime.snake.device.node import NodeProcess
from edgeplan.runtime.snake.job import Job


def slowed(job: Job) -> Job:
    """Settle the factor of a job whose settings leave it open, from a trial in this process."""
    if job.settings.emulation != KERNEL or job.settings.slower is not None:
        return job
    with threads_limited(job.settings.threads):
        full_step_s = NodeProcess.of(job, 0).time_full_step().processor_s
    slowdowns = (slowdown_of(job.problem, visit.node, full_step_s) for visit in job.visits)
    slower = slower_for([1 / min(slowdowns)])  # one node at a time trains
    job = replace(job, settings=replace(job.settings, slower=slower))
    job.write()
    return job
