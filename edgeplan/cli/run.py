"""``edgeplan run``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from edgeplan.cli.console import stderr
from edgeplan.cli.files import STANDARD, read_plan, write_json
from edgeplan.extras import require
from edgeplan.models.layer_assignment import Plan
from edgeplan.models.problems import as_layer_assignment, load

_MISSED = 6


def run(
    instance: Annotated[Path, typer.Argument(help="Instance JSON.")],
    result: Annotated[Path, typer.Argument(help='Result JSON, or a bare {"plan": ...}.')],
    out: Annotated[Path, typer.Option(help="Folder for the run's files.")] = Path("run"),
    network: Annotated[
        str | None, typer.Option(help="Known network or package.module:factory; default: the model's name.")
    ] = None,
    data: Annotated[str, typer.Option(help="digits, or cifar10:FOLDER (binary version).")] = "digits",
    rounds: Annotated[int, typer.Option(min=1, help="Rounds over all stages.")] = 3,
    alpha: Annotated[float, typer.Option(help="Dirichlet concentration of the split over labels.")] = 2.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of parameters, split and sample order.")] = 0,
    learning_rate: Annotated[float | None, typer.Option(help="Default: by the optimizer.")] = None,
    baseline: Annotated[str, typer.Option(help="none, or fedavg: federated averaging beside it.")] = "none",
    shape: Annotated[
        bool, typer.Option("--shape/--no-shape", help="Impose the instance's links, speeds and windows.")
    ] = True,
    threads: Annotated[int, typer.Option(min=1, help="Threads of one process.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Execute a plan on this machine, a process a node, and set predicted beside measured.

    Real parameters travel as the plan says and the assigned layers are trained on each node's shard.
    The report is in OUT/run.json. Exit code 6: bytes or untouched parameters are not as predicted.

    Example: edgeplan run instance.json result.json --rounds 3 --baseline fedavg --out run
    """
    problem = as_layer_assignment(load(instance), "run")
    plan, warning = read_plan(result, problem)
    if warning:
        stderr.print(f"[yellow]warning:[/yellow] {escape(warning)}")
    assert isinstance(plan, Plan)
    require("torch", purpose="edgeplan run")
    from edgeplan.runtime.snake import RunSettings, render
    from edgeplan.runtime.snake import run as run_plan

    settings = RunSettings(
        network=network,
        data=data,
        rounds=rounds,
        alpha=alpha,
        seed=seed,
        learning_rate=learning_rate,
        baseline=baseline,
        shape=shape,
        threads=threads,
    )
    report = run_plan(problem, plan, settings, out=out, on_progress=_say if stderr.is_terminal else None)
    if json:
        write_json(report, STANDARD)
    else:
        stderr.print(render(report))
    raise typer.Exit(0 if report["passed"] else _MISSED)


def _say(scored: dict[str, Any]) -> None:
    accuracy = f"accuracy {100 * scored['accuracy']:.1f} %"
    stderr.print(f"[dim]round {scored['round']}: loss {scored['loss']:.4g}, {accuracy}[/dim]")
