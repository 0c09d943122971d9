"""Dense data parallelism as people run it: PyTorch's DistributedDataParallel, a process a device.

Every device trains all weights and biases of the common start on the same images as in a run of a plan. A
communication hook carries DDP's buckets, one after another while the backward pass goes on, by the messages
of `edgeplan.runtime.sparse.execution.exchange`, so that they meet the same network. `run` starts the
processes, and returns a report in the words of that of a plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.rivals.sparse_update.data_parallel.job import DataParallelJob
from edgeplan.models.sparse_update import SparsePlan, SparseUpdate
from edgeplan.models.sparse_update.plan import DevicePlan
from edgeplan.runtime.processes.records import write_json
from edgeplan.runtime.processes.supervision import Progress, supervise
from edgeplan.runtime.sparse.execution import RunSettings, prepare
from edgeplan.runtime.sparse.execution.settings import DENSE

PER_TENSOR_MB = 1e-6
"""A bucket that one tensor overfills."""


def run(
    problem: SparseUpdate,
    notes: Mapping[str, Any],
    settings: RunSettings,
    *,
    bucket_cap_mb: float | None,
    out: Path,
    on_progress: Progress | None = None,
) -> dict[str, Any]:
    """Run data parallelism on the devices of an instance.

    Parameters
    ----------
    problem, notes
        The instance, and the same as plain JSON with its notes. Limits and rules that hold for plans do not
        hold here.
    settings
        Rounds, seed, way of the collectives; one step a round, for so DDP works.
    bucket_cap_mb
        Size of DDP's buckets; None is its default.
    out
        Folder for the job, the logs, the trained parameters and the report.
    on_progress
        Called after each scored round.
    """
    assert settings.local_steps == 1
    nothing = SparsePlan(devices=tuple(DevicePlan(id=one.id, depth=0) for one in problem.instance.devices))
    with_group_of_all = replace(settings, baseline=DENSE)
    prepare(problem, nothing, notes, with_group_of_all, out=out)
    job = DataParallelJob(out.resolve(), bucket_cap_mb)
    write_json(job.path, {"bucket_cap_mb": bucket_cap_mb})
    return supervise(job.crew, on_progress)
