"""``edgeplan run``."""

from __future__ import annotations

import json as plain_json
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import RenderableType

from edgeplan.cli.console import stderr, stdout
from edgeplan.cli.executed import executed, prepared, resumed
from edgeplan.cli.files import STANDARD, write_json
from edgeplan.cli.options import given
from edgeplan.errors import UsageError
from edgeplan.models.document import parse
from edgeplan.models.problem import Problem
from edgeplan.models.problems import problem_from_document, read_bytes
from edgeplan.runtime.processes.rehearsal import faults_of
from edgeplan.runtime.report.deviations import tolerances_of

_MISSED = 6

Rounds = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="layer_assignment: rounds over all stages, or batches, 3 by default; segment_scheduling: slots "
        "of the plan, all by default, but 3 at most; sparse_update: aggregations, 30 by default.",
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        min=0,
        help="layer_assignment and segment_scheduling: of parameters, and of the samples and their order; "
        "sparse_update: where in its images each device begins.",
    ),
]
Baseline = Annotated[
    str | None,
    typer.Option(
        help="What to run beside it. layer_assignment: none (default) or fedavg, federated averaging; "
        "sparse_update: dense (default), data parallelism of everything, or none."
    ),
]
Emulation = Annotated[
    str,
    typer.Option(
        help="How the instance's links, speeds and windows are imposed: kernel, by namespaces and quotas "
        "(needs root on Linux); process, by waiting; none; auto, the first that works of kernel and process."
    ),
]
Network = Annotated[
    str | None,
    typer.Option(
        help="layer_assignment and segment_scheduling: known network or package.module:factory; default: "
        "the model's name."
    ),
]
Data = Annotated[
    str | None,
    typer.Option(
        help="layer_assignment: digits (default); topics, characters of Python's help; or cifar10:FOLDER "
        "(binary version)."
    ),
]
Alpha = Annotated[
    float | None,
    typer.Option(help="layer_assignment: Dirichlet concentration of the split over labels; 2 by default."),
]
LearningRate = Annotated[
    float | None,
    typer.Option(help="layer_assignment and segment_scheduling: default by the optimizer."),
]
Schedule = Annotated[
    str | None,
    typer.Option(
        help="layer_assignment: learning rate of a visit: constant (default); cosine, falling over the "
        "rounds; divergence, smaller where a node's labels are unlike those of all."
    ),
]
Distill = Annotated[
    float | None,
    typer.Option(
        help="layer_assignment: weight of distillation from the network as it arrived; 0 (default) is none."
    ),
]
DistillAbove = Annotated[
    float | None,
    typer.Option(
        help="layer_assignment: distance of a node's labels from those of all (Jensen-Shannon, 0 to 1) above "
        "which its visits distil; 0.1 by default."
    ),
]
Temperature = Annotated[float | None, typer.Option(help="layer_assignment: of distillation; 2 by default.")]
LocalSteps = Annotated[
    int | None,
    typer.Option(min=1, help="sparse_update: steps of a device before each aggregation; 1 by default."),
]
Collectives = Annotated[
    str | None,
    typer.Option(
        help="sparse_update: emulated (default), messages on the instance's network; or gloo, "
        "torch.distributed's own over loopback."
    ),
]

Slower = Annotated[
    float | None,
    typer.Option(
        min=1.0,
        help="With emulation kernel, for schedules of federated averaging and for segment_scheduling: "
        "seconds here for a second of the instance; default: as few as this machine's processors allow.",
    ),
]

Noise = Annotated[
    float | None,
    typer.Option(
        metavar="SIGMA",
        help="layer_assignment, not for schedule pipeline: train with differential privacy (DP-SGD by "
        "Opacus), noise multiplier such as 1. The report has each node's epsilon.",
    ),
]
Clip = Annotated[
    float | None,
    typer.Option(help="With --noise: largest norm of one sample's gradient; 1 by default."),
]
Delta = Annotated[
    float | None,
    typer.Option(help="With --noise: delta at which epsilon is reported; 1e-5 by default."),
]
NoiseSeed = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="With --noise: seed of sampling and noise, to repeat a run; there is no privacy from who knows "
        "it. Default: the system's entropy.",
    ),
]

MemoryLimit = Annotated[
    bool,
    typer.Option(
        "--memory-limit/--no-memory-limit",
        help="Whether a step that takes more memory than its node has ends the run, with exit code 6; never "
        "with emulation none.",
    ),
]

Tolerances = Annotated[
    list[str] | None,
    typer.Option(
        "--assert",
        metavar="NAME=SHARE",
        help="How far a figure may be from its prediction: bytes, memory, transfer, compute or round, such "
        "as round=10%. A run that misses it ends with exit code 6. May be repeated.",
    ),
]

Spares = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="layer_assignment: idle nodes, the fastest, that hold images too and can take the place of a "
        "node that is lost; 0 by default.",
    ),
]
Patience = Annotated[
    float | None,
    typer.Option(
        min=0.5,
        help="Seconds without a heartbeat after which a node is taken for lost; 10 by default.",
    ),
]
Faults = Annotated[
    list[str] | None,
    typer.Option(
        "--fault",
        metavar="NODE:ROUND:PHASE:KIND",
        help="Rehearse a failure, such as pi-1:2:compute:kill. Phases: start-up, receive, compute, "
        "checkpoint, send; of sparse_update start-up, compute, aggregate, checkpoint; of segment_scheduling "
        "and of schedules as many of all these as the participant has. Kinds: kill, hang, and with emulation "
        "kernel unlink. May be repeated.",
    ),
]
Resume = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Go on with the run in this folder that was ended before its end, of any kind; without "
        "INSTANCE and RESULT.",
    ),
]


Prepare = Annotated[
    str | None,
    typer.Option(
        metavar="HOST",
        help="Start nothing: write the job into OUT and print the torchrun command of each node, whose first "
        "one's machine the others reach as HOST. OUT must be at the same path on all of them.",
    ),
]


def run(
    instance: Annotated[Path | None, typer.Argument(help="Instance JSON.")] = None,
    result: Annotated[Path | None, typer.Argument(help="Result JSON, or any plan.")] = None,
    resume: Resume = None,
    out: Annotated[Path, typer.Option(help="Folder for the run's files.")] = Path("run"),
    rounds: Rounds = None,
    seed: Seed = 0,
    baseline: Baseline = None,
    no_baseline: Annotated[bool, typer.Option("--no-baseline", help="The same as --baseline none.")] = False,
    emulation: Emulation = "auto",
    slower: Slower = None,
    memory_limit: MemoryLimit = True,
    threads: Annotated[int, typer.Option(min=1, help="Threads of one process.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    network: Network = None,
    data: Data = None,
    alpha: Alpha = None,
    learning_rate: LearningRate = None,
    schedule: Schedule = None,
    distill: Distill = None,
    distill_above: DistillAbove = None,
    temperature: Temperature = None,
    noise: Noise = None,
    clip: Clip = None,
    delta: Delta = None,
    noise_seed: NoiseSeed = None,
    local_steps: LocalSteps = None,
    collectives: Collectives = None,
    tolerances: Tolerances = None,
    spares: Spares = None,
    patience: Patience = None,
    fault: Faults = None,
    prepare: Prepare = None,
) -> None:
    """Execute a plan on this machine, a process a node or device, and set predicted beside measured.

    Real parameters travel as the plan says. A plan of layer_assignment trains each node's layers on its
    shard, one node after another, or as a pipeline on the first stage's images. In place of such a plan,
    RESULT may be a schedule of federated averaging ("kind": "federated_schedule"): who takes part in which
    round, with how many steps of which batch. A plan of segment_scheduling trains a language model of
    characters: clusters of devices as pipelines, averaged at the server after every slot; the instance's
    layers must be the blocks of a known network, such as wide-char-transformer. A plan of sparse_update
    trains each device's part on its own images, and averages; the instance must be one that edgeplan instance
    has made. The report is in OUT/run.json, plan and measurement as a trace for Perfetto or chrome://tracing
    in OUT/trace.json.

    A node of layer_assignment that dies, hangs or loses its link is replaced: the rest of the round is
    planned anew for the nodes left, and goes on from the last finished visit. So are the batches of a
    pipeline and the slots of segment_scheduling, from the last finished one. Federated averaging and
    sparse_update go on without who is lost; a server is started again. --resume goes on with a run that was
    killed itself.

    Exit code 6: bytes, collectives, memory, averages or untouched parameters are not as predicted, or a
    figure is farther from its prediction than --assert allows.

    Example: edgeplan run instance.json result.json --rounds 30 --out run
    """
    if resume is not None:
        if instance is not None:
            raise UsageError(
                "--resume: the folder knows its instance and plan; leave INSTANCE and RESULT out"
            )
        _end(*resumed(resume), json=json)
    if instance is None or result is None:
        raise UsageError("edgeplan run: needs INSTANCE and RESULT, or --resume DIR")
    problem, notes = _read_instance(instance)
    settings = {"seed": seed, "emulation": emulation, "threads": threads}
    settings |= given(
        slower=slower,
        tolerances=tolerances_of(tolerances) if tolerances else None,
        rounds=rounds,
        baseline=_baseline(baseline, no_baseline),
        network=network,
        data=data,
        alpha=alpha,
        learning_rate=learning_rate,
        schedule=schedule,
        distill=distill,
        distill_above=distill_above,
        temperature=temperature,
        noise=noise,
        clip=clip,
        delta=delta,
        noise_seed=noise_seed,
        local_steps=local_steps,
        collectives=collectives,
        memory_limit=None if memory_limit else False,
        spares=spares,
        patience_s=patience,
        faults=faults_of(fault) if fault else None,
    )
    if prepare is not None:
        for name, command in prepared(problem, notes, result, settings, out, prepare):
            stdout.print(f"# {name}\n{command}", soft_wrap=True, highlight=False, markup=False)
        raise typer.Exit
    _end(*executed(problem, notes, result, settings, out), json=json)


def _end(report: dict[str, Any], table: RenderableType, *, json: bool) -> NoReturn:
    if json:
        write_json(report, STANDARD)
    else:
        stderr.print(table)
    raise typer.Exit(0 if report["passed"] else _MISSED)


def _read_instance(path: Path) -> tuple[Problem, dict[str, Any]]:
    """Read an instance, and the same document with the notes that a problem does not keep."""
    source = "stdin" if path == STANDARD else str(path)
    text = read_bytes(path)
    document, faults = parse(text, source=source)
    problem = problem_from_document(document, also=faults, source=source)
    notes: dict[str, Any] = plain_json.loads(text)
    return problem, notes


def _baseline(baseline: str | None, no_baseline: bool) -> str | None:
    if no_baseline and baseline not in (None, "none"):
        raise UsageError(f"--no-baseline: contradicts --baseline {baseline}; leave one of them out")
    return "none" if no_baseline else baseline
