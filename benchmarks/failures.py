"""Every node fails in every phase of a round: is the run finished, done work kept, are the parameters right?

    python -m benchmarks.failures [--kinds kill hang unlink] [--patience S] [--only PATTERN] [--out FOLDER]

The digits instance on four of its six nodes, the other two spare, two rounds by peers; and by a server. A
fault strikes in the second round (a start-up has no round). Judged are: the run finishes and passes; no visit
that was handed on before the loss is made again; the final parameters equal, bit for bit, those of the
executed visits computed again in one process. `hang` and `unlink` are noticed by silence. The runs are
named transport-kind-phase-node; all of them take an hour or two.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.provenance import provenance
from edgeplan.api import replanned, solve
from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.models.problems import load
from edgeplan.runtime.emulation.modes import KERNEL, NONE
from edgeplan.runtime.learning.training import Shard, train
from edgeplan.runtime.learning.workload import flatten, optimizer_for
from edgeplan.runtime.processes.heartbeat import START_UP
from edgeplan.runtime.processes.rehearsal import COMPUTE, HANG, KILL, RECEIVE, SEND, UNLINK, Fault
from edgeplan.runtime.snake import Job, RunSettings, run
from edgeplan.runtime.snake.course import Position, visits_made
from edgeplan.runtime.snake.itinerary import planned_visits
from edgeplan.runtime.snake.validation import SERIAL_PHASES

INSTANCE = Path("instances/layer_assignment/digits-6-nodes.json")
ROUNDS, STRIKES_IN = 2, 2
SERVER = "server"


@dataclass(frozen=True)
class Outcome:
    """What became of a run with a fault."""

    fault: Fault
    seconds: float
    finished: bool
    kept: bool
    equal: bool


def instances() -> Iterator[tuple[str, LayerAssignment]]:
    """Yield the instance by peers and by a server, for four nodes or more."""
    document = load(INSTANCE).to_document()
    document["limits"] = {"min_nodes": 4, "max_layers_per_node": 3}
    yield "peer", LayerAssignment.from_document(document)
    server = {"id": SERVER, "flops_per_s": 1e12, "memory_bytes": 10**10}
    document["network"]["nodes"].append(server)
    yield "server", LayerAssignment.from_document(document | {"transport": "server", "server": SERVER})


def struck(problem: LayerAssignment, plan: Plan, fault: Fault, folder: Path, *, patience_s: float) -> Outcome:
    """Run with a fault and judge what came of it."""
    settings = RunSettings(
        rounds=ROUNDS,
        emulation=KERNEL if fault.kind == UNLINK else NONE,
        spares=2,
        patience_s=patience_s,
        faults=(fault,),
    )
    begin_s = time.monotonic()
    report = run(problem, plan, settings, out=folder, planner=replanned)
    seconds = time.monotonic() - begin_s
    job = Job.read(folder / "job.json")
    parameters = np.load(folder / "parameters.npy", allow_pickle=False)
    equal = bool(np.array_equal(parameters, replayed(job)))
    return Outcome(fault, seconds, bool(report["passed"]), _kept(job, fault), equal)


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


def matrix(kinds: Sequence[str]) -> Iterator[tuple[str, LayerAssignment, Plan, Fault]]:
    """Yield every node in every phase, with each kind of fault, by each transport."""
    for transport, problem in instances():
        plan = problem.plan_from_document(solve(problem).plan)
        nodes = [*(stage.node for stage in plan.stages), *([SERVER] if problem.server else [])]
        for kind, phase, node in itertools.product(kinds, SERIAL_PHASES, nodes):
            if (node, phase) != (SERVER, COMPUTE):
                yield transport, problem, plan, Fault(node, STRIKES_IN, phase, kind)


def table(found: Sequence[tuple[str, Outcome]]) -> Iterator[str]:
    """Yield the counts as Markdown."""
    yield "| transport | kind | phase | runs | finished | work kept | parameters equal | median s |"
    yield "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |"
    for transport, kind, phase in dict.fromkeys((t, o.fault.kind, o.fault.phase) for t, o in found):
        cell = [o for t, o in found if (t, o.fault.kind, o.fault.phase) == (transport, kind, phase)]
        counts = [sum(getattr(one, name) for one in cell) for name in ("finished", "kept", "equal")]
        seconds = statistics.median(one.seconds for one in cell)
        cells = [transport, kind, phase, len(cell), *counts, f"{seconds:.0f}"]
        yield f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    """Run the matrix and print it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kinds", nargs="+", choices=(KILL, HANG, UNLINK), default=[KILL, HANG, UNLINK])
    parser.add_argument(
        "--patience", type=float, default=4.0, help="longest silence of a node, in seconds; by default 4"
    )
    parser.add_argument("--only", default="*", help="pattern of the runs' names; all by default")
    parser.add_argument("--out", type=Path, help="where the runs are kept; a temporary folder by default")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found = []
    with tempfile.TemporaryDirectory() as temporary:
        for transport, problem, plan, fault in matrix(arguments.kinds):
            name = f"{transport}-{fault.kind}-{fault.phase}-{fault.node}"
            if fnmatch(name, arguments.only):
                folder = (arguments.out or Path(temporary)) / name
                found.append((transport, struck(problem, plan, fault, folder, patience_s=arguments.patience)))
                sys.stderr.write(f"{transport} {found[-1][1]}\n")
    sys.stdout.write("\n".join([*table(found), "", provenance(), ""]))


if __name__ == "__main__":
    main()
