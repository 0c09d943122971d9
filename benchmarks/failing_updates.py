"""Devices that fail in rounds of sparse updates: three devices, a narrow MobileNetV2 on digits.

Three rounds; a fault strikes in the second one (a start-up has no round). Judged are: the run finishes and
passes; no round that all had kept before the loss is made again; the final parameters equal, bit for bit,
those of the rounds computed again in one process without the lost device.
"""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.failure_trials import Outcome, Trial
from benchmarks.replayed_updates import replayed
from edgeplan.api import solve
from edgeplan.models.sparse_update import SparsePlan, SparseUpdate
from edgeplan.runtime.emulation.modes import KERNEL, NONE
from edgeplan.runtime.processes.heartbeat import START_UP
from edgeplan.runtime.processes.rehearsal import UNLINK, Fault
from edgeplan.runtime.sparse.execution import Job, RunSettings, run
from edgeplan.runtime.sparse.execution.validation import DEVICE_PHASES
from edgeplan.runtime.sparse.measured import Cluster, Offer, of_workload
from edgeplan.runtime.sparse.workload import Workload, WorkloadSettings
from edgeplan.runtime.sparse.workload.start import FOLDER_VARIABLE

WORKLOAD = WorkloadSettings(width=0.1, image_size=12, pretraining_epochs=3, num_devices=3)
CLUSTER = Cluster(num_devices=3, least_memory=0.4, most_memory=0.8, latency_s=1e-4, bit_per_s=1e9)
ROUNDS, STRIKES_IN = 3, 2
WHAT = "updates"


@cache
def _starts() -> tempfile.TemporaryDirectory[str]:
    """Return the folder of what is trained; processes find it by their environment."""
    folder = tempfile.TemporaryDirectory()
    os.environ[FOLDER_VARIABLE] = folder.name
    return folder


def instance() -> dict[str, Any]:
    """Return the instance as ``edgeplan instance`` makes it, notes included."""
    workload = Workload(WORKLOAD, Path(_starts().name))
    workload.prepare()
    return of_workload(workload, CLUSTER, Offer(batch_size=4), "probe", lambda _title: nullcontext(None))


def struck(
    problem: SparseUpdate,
    plan: SparsePlan,
    notes: dict[str, Any],
    fault: Fault,
    folder: Path,
    patience_s: float,
) -> Outcome:
    """Run with a fault and judge what came of it."""
    settings = RunSettings(
        rounds=ROUNDS,
        baseline="none",
        emulation=KERNEL if fault.kind == UNLINK else NONE,
        memory_limit=False,
        patience_s=patience_s,
        faults=(fault,),
    )
    report = run(problem, plan, notes, settings, out=folder)
    job = Job.read(folder / "job.json")
    kept = job.legs[1].since.round >= (0 if fault.phase == START_UP else STRIKES_IN - 1)
    found = torch.load(folder / "parameters.pt", weights_only=True)
    gone_from = {one["node"]: one["round"] for one in report["lost"]}
    equal = all(
        torch.equal(found[name], tensor)
        for replica in replayed(job, gone_from)
        for name, tensor in replica.items()
    )
    return Outcome(bool(report["passed"]), kept, equal)


def trials(kinds: Sequence[str]) -> Iterator[Trial]:
    """Yield every device in every phase, with each kind of fault."""
    notes = instance()
    document = {name: value for name, value in notes.items() if not name.startswith("x-")}
    problem = SparseUpdate.from_document(document)
    plan = problem.plan_from_document(solve(problem).plan)
    strike = partial(struck, problem, plan, notes)
    for kind, phase, device in itertools.product(kinds, DEVICE_PHASES, problem.instance.devices):
        yield Trial(WHAT, Fault(device.id, STRIKES_IN, phase, kind), strike)
