"""How many times slower than the instance a run must be, for all its devices to be imitated at once."""

from __future__ import annotations

from dataclasses import replace

import torch

from edgeplan.runtime.emulation.holding import slower_for
from edgeplan.runtime.emulation.modes import NONE
from edgeplan.runtime.networks import CHARACTERS
from edgeplan.runtime.pipeline.job import Job
from edgeplan.runtime.pipeline.slots import whole_s
from edgeplan.runtime.pipeline.stages.calibration import time_passes
from edgeplan.runtime.profiling.trial import threads_limited


def slowed(job: Job) -> Job:
    """Settle the factor of a job's leg where settings leave it open, from a trial in this process."""
    if job.settings.emulation == NONE or job.settings.slower is not None or not job.slots:
        return job
    problem, chain = job.problem, job.seeded_chain()
    codes = torch.zeros(problem.instance.training.micro_batch_size, CHARACTERS, dtype=torch.int64)
    with threads_limited(job.settings.threads):
        given = chain.embedding(codes).detach()
        processor_s = time_passes(chain.segment(chain.blocks), given).processor_s
    device_of = {device.id: device for cluster in problem.instance.clusters for device in cluster.devices}
    factors = [
        slower_for(
            [
                processor_s / whole_s(problem, device_of[stage.device])
                for cluster in slot.clusters
                for stage in cluster.stages
            ]
        )
        for slot in job.slots
    ]
    job = replace(job, legs=(*job.legs[:-1], replace(job.leg, slower=max(factors))))
    job.write()
    return job
