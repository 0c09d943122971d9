"""Clients and server that fail in rounds of federated averaging: three of digits' nodes, and a fourth.

Three short rounds; a fault strikes in the second one (a start-up has no round). Judged are: the run finishes
and passes; no round that the server had kept before the loss is made again; the final parameters equal, bit
for bit, those of the rounds computed again in one process, without the client from its loss on.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from torch import Tensor

from benchmarks.failure_trials import Outcome, Trial
from edgeplan.models.federated import FederatedSchedule
from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.problems import load
from edgeplan.runtime.emulation.modes import KERNEL, NONE
from edgeplan.runtime.emulation.pace import MACHINE
from edgeplan.runtime.federated import Job, RunSettings, run
from edgeplan.runtime.federated.averaging import weighted_mean
from edgeplan.runtime.federated.trainee import Trainee
from edgeplan.runtime.federated.validation import CLIENT_PHASES, SERVER_PHASES
from edgeplan.runtime.learning.workload import assign, flatten
from edgeplan.runtime.processes.heartbeat import START_UP
from edgeplan.runtime.processes.rehearsal import UNLINK, Fault

INSTANCE = Path("instances/layer_assignment/digits-6-nodes.json")
CLIENTS, LOCAL_STEPS = 3, 10
ROUNDS, STRIKES_IN = 3, 2
WHAT = "clients"


def schedule_on(problem: LayerAssignment) -> FederatedSchedule:
    """Return short rounds in which all clients take part."""
    *clients, server = [node.id for node in problem.instance.network.nodes[: CLIENTS + 1]]
    parts = [{"node": name, "local_steps": LOCAL_STEPS} for name in clients]
    return FederatedSchedule.from_document(
        {
            "format": "edgeplan/1",
            "kind": "federated_schedule",
            "server": server,
            "rounds": [{"clients": parts}] * ROUNDS,
        }
    )


def struck(
    problem: LayerAssignment, schedule: FederatedSchedule, fault: Fault, folder: Path, patience_s: float
) -> Outcome:
    """Run with a fault and judge what came of it."""
    emulation = KERNEL if fault.kind == UNLINK else NONE
    settings = RunSettings(emulation=emulation, patience_s=patience_s, faults=(fault,))
    report = run(problem, schedule, settings, out=folder)
    job = Job.read(folder / "job.json")
    before = 0 if fault.phase == START_UP else STRIKES_IN - 1
    kept = all(one.rounds_made >= before for one in job.endings)
    gone_from = {one["node"]: one["round"] for one in report["lost"]}
    found = np.load(folder / "parameters.npy", allow_pickle=False)
    lost = {fault.node} - {schedule.server}
    equal = np.array_equal(found, replayed(job, gone_from).numpy()) and gone_from.keys() == lost
    return Outcome(bool(report["passed"]), kept, bool(equal))


def replayed(job: Job, gone_from: dict[str, int]) -> Tensor:
    """Return the parameters after all rounds, made in this process, one client after another.

    Parameters
    ----------
    job
        A finished run.
    gone_from
        Rounds, counted from 1, from which on clients are left out.
    """
    trainees = [Trainee.of(job, rank) for rank in range(job.server_rank)]
    workload = job.seeded_workload()
    everything = flatten(workload.parameters(workload.layers))
    for index in range(job.num_rounds):
        updates: list[Tensor] = []
        weights: list[float] = []
        for rank in job.ranks(index):
            part = job.part(rank, index)
            if part is None or gone_from.get(part.node, index + 2) <= index + 1:
                continue
            own = trainees[rank].workload
            assign(own.parameters(own.layers), everything)
            trainees[rank].train(part, index, MACHINE)
            updates.append(flatten(own.parameters(own.layers)))
            weights.append(job.weight(rank, index))
        everything = weighted_mean(updates, weights)
    return everything


def trials(kinds: Sequence[str]) -> Iterator[Trial]:
    """Yield every client and the server in every phase, with each kind of fault."""
    problem = load(INSTANCE)
    assert isinstance(problem, LayerAssignment)
    schedule = schedule_on(problem)
    strike = partial(struck, problem, schedule)
    phases = {part.node: CLIENT_PHASES for part in schedule.rounds[0].clients}
    phases[schedule.server] = SERVER_PHASES
    in_order = dict.fromkeys((*CLIENT_PHASES, *SERVER_PHASES))
    for kind, phase, name in itertools.product(kinds, in_order, phases):
        if phase in phases[name]:
            yield Trial(WHAT, Fault(name, STRIKES_IN, phase, kind), strike)
