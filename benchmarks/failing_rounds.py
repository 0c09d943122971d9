"""Nodes that fail in rounds of the serial schedule: digits on four of six nodes, the other two spare.

Two rounds by peers; and by a server. A fault strikes in the second round (a start-up has no round). Judged
are: the run finishes and passes; no visit that was handed on before the loss is made again; the final
parameters equal, bit for bit, those of the executed visits computed again in one process.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.failure_trials import Outcome, Trial
from edgeplan.api import replanned, solve
from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.models.problems import load
from edgeplan.runtime.emulation.modes import KERNEL, NONE
from edgeplan.runtime.learning.training import Shard, train
from edgeplan.runtime.learning.workload import flatten, optimizer_for
from edgeplan.runtime.processes.heartbeat import START_UP
from edgeplan.runtime.processes.rehearsal import COMPUTE, RECEIVE, SEND, UNLINK, Fault
from edgeplan.runtime.snake import Job, RunSettings, run
from edgeplan.runtime.snake.course import Position, visits_made
from edgeplan.runtime.snake.itinerary import planned_visits
from edgeplan.runtime.snake.validation import SERIAL_PHASES

INSTANCE = Path("instances/layer_assignment/digits-6-nodes.json")
ROUNDS, STRIKES_IN = 2, 2
SERVER = "server"


def instances() -> Iterator[tuple[str, LayerAssignment]]:
    """Yield the instance by peers and by a server, for four nodes or more."""
    document = load(INSTANCE).to_document()
    document["limits"] = {"min_nodes": 4, "max_layers_per_node": 3}
    yield "peer", LayerAssignment.from_document(document)
    server = {"id": SERVER, "flops_per_s": 1e12, "memory_bytes": 10**10}
    document["network"]["nodes"].append(server)
    yield "server", LayerAssignment.from_document(document | {"transport": "server", "server": SERVER})


def struck(problem: LayerAssignment, plan: Plan, fault: Fault, folder: Path, patience_s: float) -> Outcome:
    """Run with a fault and judge what came of it."""
    settings = RunSettings(
        rounds=ROUNDS,
        emulation=KERNEL if fault.kind == UNLINK else NONE,
        spares=2,
        patience_s=patience_s,
        faults=(fault,),
    )
    report = run(problem, plan, settings, out=folder, planner=replanned)
    job = Job.read(folder / "job.json")
    parameters = np.load(folder / "parameters.npy", allow_pickle=False)
    equal = bool(np.array_equal(parameters, replayed(job)))
    return Outcome(bool(report["passed"]), _kept(job, fault), equal)


def _kept(job: Job, fault: Fault) -> bool:
    """Say whether every visit that was handed on before the fault struck was kept."""
    stages = [stage.node for stage in job.legs[0].plan.stages]
    last = len(stages) - 1
    if fault.phase == START_UP:
        handed_on = Position(1, 0)
    elif fault.node == SERVER:
        handed_on = Position(STRIKES_IN, 0)
    elif fault.node == stages[last] and job.server_rank is None and _has_not_begun(fault):
        handed_on = Position(STRIKES_IN - 1, last)
    else:
        handed_on = Position(STRIKES_IN, stages.index(fault.node))
    return Position(**job.incidents[0]["next_visit"]) >= handed_on


def _has_not_begun(fault: Fault) -> bool:
    """Say whether the last node still had its visit of the round before: it sends that when a round begins.

    What is on its way does not arrive when its link is cut, as the node waits for what comes next.
    """
    return fault.phase == SEND or (fault.phase, fault.kind) == (RECEIVE, UNLINK)


def replayed(job: Job) -> Any:
    """Return the parameters after the executed visits, made one after another in this process."""
    workload = job.seeded_workload()
    training = job.problem.instance.training
    for position, leg in visits_made(job.legs, Position(ROUNDS + 1, 0)):
        visit = planned_visits(job.problem, leg.plan)[position.stage]
        seat = job.seat_of(visit.node)
        batches = Shard(job.read_samples(seat), job.upscaled_to).batches(
            seed=job.settings.seed,
            node=seat,
            visit=position.round - 1,
            batch_size=training.batch_size,
            steps=training.local_steps,
        )
        optimizer = optimizer_for(workload.train_only(visit.trained), training.optimizer_bytes, None)
        train(workload.module, optimizer, batches)
    return flatten(workload.parameters(workload.layers)).numpy()


def trials(kinds: Sequence[str]) -> Iterator[Trial]:
    """Yield every node in every phase, with each kind of fault, by each transport."""
    for transport, problem in instances():
        plan = problem.plan_from_document(solve(problem).plan)
        nodes = [*(stage.node for stage in plan.stages), *([SERVER] if problem.server else [])]
        for kind, phase, node in itertools.product(kinds, SERIAL_PHASES, nodes):
            if (node, phase) != (SERVER, COMPUTE):
                yield Trial(transport, Fault(node, STRIKES_IN, phase, kind), partial(struck, problem, plan))
