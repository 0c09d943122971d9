"""Run a schedule of federated averaging: a process a client and one for the server, real training.

In every round the server sends all parameters to the clients that take part, each trains them on its own
images for its own local steps and batch, and what comes back is averaged. A client that dies, hangs or loses
its link is left out from then on, and the run goes on with the others; the server is started again, after the
last round that it has kept.

`run` prepares the job (validation, data, shards), starts the processes, and returns the report that sets the
schedule's predictions beside what was measured. `prepare` alone writes the job for torchrun::

    torchrun --nproc-per-node N -m edgeplan.runtime.federated.worker OUT/job.json
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgeplan.extras import require
from edgeplan.models.federated import FederatedSchedule
from edgeplan.models.layer_assignment import LayerAssignment

require("torch", purpose="edgeplan run")

from edgeplan.runtime.federated.job import Job as Job  # noqa: E402
from edgeplan.runtime.federated.job import prepare as prepare  # noqa: E402
from edgeplan.runtime.federated.recovery import carry_through, resumed  # noqa: E402
from edgeplan.runtime.federated.report.table import render as render  # noqa: E402
from edgeplan.runtime.federated.settings import RunSettings as RunSettings  # noqa: E402
from edgeplan.runtime.federated.slowing import slowed  # noqa: E402
from edgeplan.runtime.processes.locking import alone_in  # noqa: E402
from edgeplan.runtime.processes.starting_again import Tell as Tell  # noqa: E402
from edgeplan.runtime.processes.supervision import Progress as Progress  # noqa: E402
from edgeplan.runtime.processes.supervision import supervise as supervise  # noqa: E402


def run(
    problem: LayerAssignment,
    schedule: FederatedSchedule,
    settings: RunSettings,
    *,
    out: Path,
    on_progress: Progress | None = None,
    on_incident: Tell | None = None,
) -> dict[str, Any]:
    """Run a schedule and compare it with its prediction.

    Parameters
    ----------
    problem
        An instance with schedule serial whose model section describes the network.
    schedule
        Who takes part in which round, and with how much work.
    settings
        Network, data, emulation.
    out
        Folder for the job, the shards, the processes' logs, the trained parameters (``parameters.npy``), the
        report (``run.json``) and a trace of plan and measurement (``trace.json``) for Perfetto.
    on_progress
        Called after each scored round.
    on_incident
        Called when the server was lost, with how the run goes on, in words.

    Returns
    -------
    dict[str, Any]
        The report; ``passed`` is false when bytes differ from the prediction, or a transfer changed a
        parameter. Clients that were lost are listed under ``lost``, losses of the server under
        ``restarts``.

    Raises
    ------
    InvalidInputError
        With every fault of the schedule.
    UsageError
        When it cannot be run on this instance, network and data.
    RunError
        When the server failed or was lost twice before another round was made, or no client was left.
    """
    with alone_in(out):
        job = slowed(prepare(problem, schedule, settings, out=out))
        return carry_through(job, on_progress, on_incident)


def resume(
    out: Path, *, on_progress: Progress | None = None, on_incident: Tell | None = None
) -> dict[str, Any]:
    """Go on with a run that was ended, after the last round that the server has kept.

    Clients that had been lost stay away.

    Parameters
    ----------
    out
        Folder of the run.
    on_progress, on_incident
        As for `run`.

    Raises
    ------
    UsageError
        When the folder holds no run, or one that has come to its end.
    RunError
        When what was kept is damaged, the server failed, or no client was left.
    """
    with alone_in(out):
        return carry_through(resumed(out), on_progress, on_incident)
