"""Nodes that fail in batches of a pipeline of layer_assignment: digits on four of six nodes.

Three batches; a fault strikes in the second one (a start-up has no batch). Judged are: the run finishes and
passes; no batch that was done before the loss is made again; the final parameters equal, bit for bit, those
of a run that loses nobody, for no plan changes what a batch comes to.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.failure_trials import Outcome, Trial
from edgeplan.api import replanned, solve
from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.models.problems import load
from edgeplan.runtime.emulation.modes import KERNEL, NONE
from edgeplan.runtime.pipeline.batches import BatchJob, RunSettings, run
from edgeplan.runtime.pipeline.batches.validation import PHASES
from edgeplan.runtime.processes.heartbeat import START_UP
from edgeplan.runtime.processes.rehearsal import CHECKPOINT, UNLINK, Fault

INSTANCE = Path("instances/layer_assignment/digits-6-nodes.json")
BATCHES, STRIKES_IN = 3, 2
WHAT = "batches"


def instance() -> LayerAssignment:
    """Return the instance as a pipeline, for four nodes or more of which two may be lost."""
    document = load(INSTANCE).to_document()
    document |= {"schedule": "pipeline", "micro_batches": 4, "shared_layers": []}
    document |= {"limits": {"min_nodes": 3, "max_nodes": 4}}
    return LayerAssignment.from_document(document)


@cache
def undisturbed() -> bytes:
    """Return the parameters of a run that loses nobody."""
    problem = instance()
    plan = problem.plan_from_document(solve(problem).plan)
    with tempfile.TemporaryDirectory() as folder:
        run(problem, plan, RunSettings(rounds=BATCHES, emulation=NONE), out=Path(folder))
        return _parameters(Path(folder)).tobytes()


def _parameters(folder: Path) -> Any:
    return np.load(folder / "parameters.npy", allow_pickle=False)


def struck(problem: LayerAssignment, plan: Plan, fault: Fault, folder: Path, patience_s: float) -> Outcome:
    """Run with a fault and judge what came of it."""
    emulation = KERNEL if fault.kind == UNLINK else NONE
    settings = RunSettings(rounds=BATCHES, emulation=emulation, patience_s=patience_s, faults=(fault,))
    report = run(problem, plan, settings, out=folder, planner=replanned)
    job = BatchJob.read(folder / "job.json")
    kept = job.legs[1].since >= (0 if fault.phase == START_UP else STRIKES_IN - 1)
    return Outcome(bool(report["passed"]), kept, _parameters(folder).tobytes() == undisturbed())


def trials(kinds: Sequence[str]) -> Iterator[Trial]:
    """Yield every node in every phase that it has, with each kind of fault."""
    problem = instance()
    plan = problem.plan_from_document(solve(problem).plan)
    nodes = [stage.node for stage in plan.stages]
    for kind, phase, node in itertools.product(kinds, PHASES, nodes):
        if phase != CHECKPOINT or node in (nodes[0], nodes[-1]):
            yield Trial(WHAT, Fault(node, STRIKES_IN, phase, kind), partial(struck, problem, plan))
