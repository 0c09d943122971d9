"""Run a plan of segment_scheduling: pipelines of devices, averaged at the server, slot by slot.

A process stands for every participant: a cluster's control unit with the embedding, its active devices with
their encoder segments, and the server's side with the decoder. Segments, order, micro-batches and schedule
are the plan's; the pipelining is torch.distributed's, with messages that take as long as the slot's gains
let them (`edgeplan.runtime.pipeline.stages.stage`). A language model of characters is trained.

`run` prepares the job, starts the processes, and returns the report that sets the plan's predictions beside
what was measured. `prepare` alone writes the job for torchrun::

    torchrun --nproc-per-node N -m edgeplan.runtime.pipeline.worker OUT/job.json
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgeplan.extras import require
from edgeplan.models.segment_scheduling import SegmentPlan, SegmentScheduling

require("torch", purpose="edgeplan run")

from edgeplan.runtime.emulation.modes import placed  # noqa: E402
from edgeplan.runtime.pipeline.job import Job as Job  # noqa: E402
from edgeplan.runtime.pipeline.job import prepare as prepare  # noqa: E402
from edgeplan.runtime.pipeline.report.table import render as render  # noqa: E402
from edgeplan.runtime.pipeline.settings import RunSettings as RunSettings  # noqa: E402
from edgeplan.runtime.pipeline.slowing import slowed  # noqa: E402
from edgeplan.runtime.processes.supervision import Progress as Progress  # noqa: E402
from edgeplan.runtime.processes.supervision import supervise as supervise  # noqa: E402


def run(
    problem: SegmentScheduling,
    plan: SegmentPlan,
    settings: RunSettings,
    *,
    out: Path,
    on_progress: Progress | None = None,
) -> dict[str, Any]:
    """Run slots of a plan and compare them with their prediction.

    Parameters
    ----------
    problem
        An instance whose model section describes the blocks of a network that learns text.
    plan
        A plan without violations.
    settings
        Slots, network, shaping.
    out
        Folder for the job, the processes' logs, the trained parameters (``parameters.npy``), the report
        (``run.json``) and a trace of plan and measurement (``trace.json``) for Perfetto.
    on_progress
        Called after each slot's score.

    Returns
    -------
    dict[str, Any]
        The report; ``passed`` is false when bytes differ from the prediction, or encoders differ after they
        were averaged.

    Raises
    ------
    UsageError
        When the plan cannot be run on this instance and network.
    RunError
        When a process failed.
    """
    job = slowed(prepare(problem, plan, settings, out=out))
    links = job.slots[0].links(len(job.cast)).slower(job.slower)
    with placed(job.settings.emulation, links, job.folder) as place:
        return supervise(job.crew, on_progress, place)
