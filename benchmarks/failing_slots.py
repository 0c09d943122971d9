"""Participants that fail in slots of a segment schedule: two clusters of devices, averaged at the server.

Two slots; a fault strikes in the second one (a start-up has no slot). Judged are: the run finishes and
passes; no slot that was done before the loss is made again; the final parameters equal, bit for bit, those of
the slots as they were made in the end, computed again in one process.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.failure_trials import Outcome, Trial
from benchmarks.replayed_slots import replayed
from edgeplan.api import replanned, solve
from edgeplan.models.problems import load
from edgeplan.models.segment_scheduling import SegmentPlan, SegmentScheduling
from edgeplan.runtime.emulation.modes import KERNEL, NONE
from edgeplan.runtime.pipeline import Job, RunSettings, run
from edgeplan.runtime.pipeline.participants import PHASES, participants
from edgeplan.runtime.pipeline.remainder import remainder
from edgeplan.runtime.processes.heartbeat import START_UP
from edgeplan.runtime.processes.rehearsal import UNLINK, Fault

INSTANCE = Path("instances/segment_scheduling/char-transformer-2-clusters.json")
SLOTS, STRIKES_IN, MICRO_BATCHES = 2, 2, 3
WHAT = "slots"


def instance() -> SegmentScheduling:
    """Return the instance with short slots."""
    whole = load(INSTANCE)
    assert isinstance(whole, SegmentScheduling)
    document = remainder(whole, SegmentPlan(slots=()), 0, SLOTS, ()).to_document()
    document["control"]["noise_budget"] = 1.0
    document["training"]["max_micro_batches"] = MICRO_BATCHES
    return SegmentScheduling.from_document(document)


def struck(
    problem: SegmentScheduling, plan: SegmentPlan, fault: Fault, folder: Path, patience_s: float
) -> Outcome:
    """Run with a fault and judge what came of it."""
    emulation = KERNEL if fault.kind == UNLINK else NONE
    settings = RunSettings(emulation=emulation, patience_s=patience_s, faults=(fault,))
    report = run(problem, plan, settings, out=folder, planner=replanned)
    job = Job.read(folder / "job.json")
    parameters = np.load(folder / "parameters.npy", allow_pickle=False)
    kept = job.legs[1].since >= (0 if fault.phase == START_UP else STRIKES_IN - 1)
    return Outcome(bool(report["passed"]), kept, bool(np.array_equal(parameters, replayed(job).numpy())))


def trials(kinds: Sequence[str]) -> Iterator[Trial]:
    """Yield every participant in every phase that it has, with each kind of fault."""
    problem = instance()
    plan = problem.plan_from_document(solve(problem).plan)
    cast = participants(problem.instance, plan.slots)
    phases = dict.fromkeys(phase for one in cast for phase in PHASES[one.role])
    for kind, phase, one in itertools.product(kinds, phases, cast):
        if phase in PHASES[one.role]:
            yield Trial(WHAT, Fault(one.name, STRIKES_IN, phase, kind), partial(struck, problem, plan))
