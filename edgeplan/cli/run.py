"""``edgeplan run``."""

from __future__ import annotations

import json as plain_json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from edgeplan.cli.console import stderr
from edgeplan.cli.files import STANDARD, read_plan, write_json
from edgeplan.cli.options import ResultPath, given, refuse
from edgeplan.errors import UsageError
from edgeplan.extras import require
from edgeplan.models.document import parse
from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.models.problem import Problem
from edgeplan.models.problems import as_layer_assignment, problem_from_document, read_bytes
from edgeplan.models.sparse_update import SparsePlan, SparseUpdate
from edgeplan.runtime.deviations import tolerances_of

_MISSED = 6
_OF_ASSIGNMENT = (
    "network",
    "data",
    "alpha",
    "learning_rate",
    "schedule",
    "distill",
    "distill_above",
    "temperature",
)
_OF_UPDATES = ("local_steps", "collectives")

Progress = Callable[[dict[str, Any]], None]


Rounds = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="layer_assignment: rounds over all stages, 3 by default; sparse_update: aggregations, 30 by "
        "default.",
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        min=0,
        help="layer_assignment: of parameters, split and sample order; sparse_update: where in its "
        "images each device begins.",
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
        help="layer_assignment: known network or package.module:factory; default: the model's name."
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
LearningRate = Annotated[float | None, typer.Option(help="layer_assignment: default by the optimizer.")]
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
        help="With emulation kernel: seconds here for a second of the instance; default: as few as this "
        "machine's processors allow.",
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


def run(
    instance: Annotated[Path, typer.Argument(help="Instance JSON.")],
    result: ResultPath,
    out: Annotated[Path, typer.Option(help="Folder for the run's files.")] = Path("run"),
    rounds: Rounds = None,
    seed: Seed = 0,
    baseline: Baseline = None,
    no_baseline: Annotated[bool, typer.Option("--no-baseline", help="The same as --baseline none.")] = False,
    emulation: Emulation = "auto",
    slower: Slower = None,
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
    local_steps: LocalSteps = None,
    collectives: Collectives = None,
    tolerances: Tolerances = None,
) -> None:
    """Execute a plan on this machine, a process a node or device, and set predicted beside measured.

    Real parameters travel as the plan says. A plan of layer_assignment trains each node's layers on its
    shard, one node after another. A plan of sparse_update trains each device's part on its own images, and
    averages; the instance must be one that edgeplan instance has made. The report is in OUT/run.json,
    plan and measurement as a trace for Perfetto or chrome://tracing in OUT/trace.json.
    Exit code 6: bytes, collectives, memory or untouched parameters are not as predicted, or a figure is
    farther from its prediction than --assert allows.

    Example: edgeplan run instance.json result.json --rounds 30 --out run
    """
    problem, notes = _read_instance(instance)
    settings = {"seed": seed, "emulation": emulation, "threads": threads} | given(
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
        local_steps=local_steps,
        collectives=collectives,
    )
    if isinstance(problem, SparseUpdate):
        report, table = _run_updates(problem, notes, result, settings, out)
    else:
        assignment = as_layer_assignment(problem, "run")
        report, table = _run_assignment(assignment, result, settings, out)
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


def _run_assignment(
    problem: LayerAssignment, result: Path, settings: dict[str, Any], out: Path
) -> tuple[dict[str, Any], RenderableType]:
    refuse({name: settings[name] for name in _OF_UPDATES if name in settings}, problem.name)
    plan = read_plan(result, problem)
    assert isinstance(plan, Plan)
    require("torch", purpose="edgeplan run")
    from edgeplan.runtime.snake import RunSettings, render
    from edgeplan.runtime.snake import run as run_plan

    report = run_plan(problem, plan, RunSettings(**settings), out=out, on_progress=_progress())
    return report, render(report)


def _run_updates(
    problem: SparseUpdate, notes: dict[str, Any], result: Path, settings: dict[str, Any], out: Path
) -> tuple[dict[str, Any], RenderableType]:
    refuse({name: settings[name] for name in _OF_ASSIGNMENT if name in settings}, problem.name)
    plan = read_plan(result, problem)
    assert isinstance(plan, SparsePlan)
    require("torch", purpose="edgeplan run")
    from edgeplan.runtime.sparse.execution import RunSettings, render
    from edgeplan.runtime.sparse.execution import run as run_plan

    report = run_plan(problem, plan, notes, RunSettings(**settings), out=out, on_progress=_progress())
    return report, render(report)


def _progress() -> Progress | None:
    return _say if stderr.is_terminal else None


def _say(scored: dict[str, Any]) -> None:
    loss = "no number" if scored["loss"] is None else f"{scored['loss']:.4g}"
    accuracy = f"accuracy {100 * scored['accuracy']:.1f} %"
    stderr.print(f"[dim]{scored['phase']}, round {scored['round']}: loss {loss}, {accuracy}[/dim]")
