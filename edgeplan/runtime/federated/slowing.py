"""How many times slower than the instance a run must be, for all clients at once to be emulated here."""

from __future__ import annotations

from dataclasses import replace

from edgeplan.runtime.emulation.holding import slower_for
from edgeplan.runtime.emulation.modes import NONE
from edgeplan.runtime.federated.job import Job
from edgeplan.runtime.federated.trainee import Trainee
from edgeplan.runtime.learning.calibration import slowdown_of
from edgeplan.runtime.profiling.trial import threads_limited


def slowed(job: Job) -> Job:
    """Settle the factor of a job whose settings leave it open, from a trial in this process."""
    if job.settings.emulation == NONE or job.settings.slower is not None:
        return job
    with threads_limited(job.settings.threads):
        full_step_s = Trainee.of(job, 0).time_full_step().processor_s
    slowdowns = [slowdown_of(job.problem, name, full_step_s) for name in job.stated.clients]
    job = replace(job, settings=replace(job.settings, slower=slower_for([1 / one for one in slowdowns])))
    job.write()
    return job
