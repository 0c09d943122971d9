"""Run a plan of segment_scheduling: pipelines of devices, averaged at the server, slot by slot.

A process stands for every participant: a cluster's control unit with the embedding, its active devices with
their encoder segments, and the server's side with the decoder. Segments, order, micro-batches and schedule
are the plan's; the pipelining is torch.distributed's, with messages that take as long as the slot's gains
let them (`edgeplan.runtime.pipeline.stages.stage`). A language model of characters is trained. When a device
dies, hangs or loses its link, the slots that are left are planned anew for the others, who go on from the
last slot that all of them have kept.

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

from edgeplan.runtime.pipeline.job import Job as Job  # noqa: E402
from edgeplan.runtime.pipeline.job import prepare as prepare  # noqa: E402
from edgeplan.runtime.pipeline.recovery import Planner as Planner  # noqa: E402
from edgeplan.runtime.pipeline.recovery import carry_through as carry_through  # noqa: E402
from edgeplan.runtime.pipeline.report.table import render as render  # noqa: E402
from edgeplan.runtime.pipeline.settings import RunSettings as RunSettings  # noqa: E402
from edgeplan.runtime.pipeline.slowing import slowed  # noqa: E402
from edgeplan.runtime.processes.locking import alone_in  # noqa: E402
from edgeplan.runtime.processes.records import unfinished_job  # noqa: E402
from edgeplan.runtime.processes.starting_again import Tell as Tell  # noqa: E402
from edgeplan.runtime.processes.supervision import Progress as Progress  # noqa: E402
from edgeplan.runtime.processes.supervision import supervise as supervise  # noqa: E402


def run(
    problem: SegmentScheduling,
    plan: SegmentPlan,
    settings: RunSettings,
    *,
    out: Path,
    planner: Planner | None = None,
    on_progress: Progress | None = None,
    on_incident: Tell | None = None,
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
    planner
        Plans the slots that are left for who is left, when a participant was lost; None: the run ends then.
    on_progress
        Called after each slot's score.
    on_incident
        Called with what befell participants and how the run goes on, in words.

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
        When a process failed, or there is no plan for who is left.
    """
    job = slowed(prepare(problem, plan, settings, out=out))
    with alone_in(out):
        return carry_through(job, planner, on_progress, on_incident)


def resume(
    out: Path,
    *,
    planner: Planner | None = None,
    on_progress: Progress | None = None,
    on_incident: Tell | None = None,
) -> dict[str, Any]:
    """Go on with a run that was ended, after the newest slot that all its participants have kept.

    Parameters
    ----------
    out
        Folder of the run.
    planner, on_progress, on_incident
        As for `run`.

    Raises
    ------
    UsageError
        When the folder holds no run, or one that has come to its end.
    RunError
        When a process failed, or there is no plan for who is left.
    """
    job = Job.read(unfinished_job(out, "slots_by"))
    with alone_in(out):
        return carry_through(job, planner, on_progress, on_incident)
