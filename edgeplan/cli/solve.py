"""``edgeplan solve``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from edgeplan.cli.begun import begun
from edgeplan.cli.console import stderr
from edgeplan.cli.files import STANDARD, check_output, read_plan, write_json, written_aside
from edgeplan.cli.outcome import exit_code, progress, summarise
from edgeplan.models.problems import as_layer_assignment, load


def solve(
    instance: Annotated[Path, typer.Argument(help="Instance JSON; - is standard input.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Result JSON; - is standard output.")
    ] = STANDARD,
    solver: Annotated[
        str,
        typer.Option(
            help="auto; layer_assignment: cp-sat (exact), milp (exact, any PuLP engine: milp:HiGHS, "
            "milp:PULP_CBC_CMD, ...), dp (exact, label setting), at-size (many nodes), heuristic (no bound) "
            "or brute-force (tiny); segment_scheduling: dssda; sparse_update: lagrangian (exact, or with a "
            "proven gap where devices are many), cp-sat, milp, dp (every device for itself)."
        ),
    ] = "auto",
    time_limit: Annotated[float, typer.Option(help="Wall-clock seconds for everything.")] = 60.0,
    gap: Annotated[float, typer.Option(help="Relative gap at which to stop.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
    workers: Annotated[int, typer.Option(help="Parallel workers of the back-end.")] = 1,
    warm_start: Annotated[
        Path | None,
        typer.Option(help="A result or plan to begin with, repaired if it must be; never made worse."),
    ] = None,
    write_model: Annotated[
        Path | None,
        typer.Option(
            help="Write the integer programme of the instance to this .lp or .mps file and end; "
            "nothing is solved."
        ),
    ] = None,
) -> None:
    """Solve an instance: the best plan, a proven bound on every plan, and how far apart they are.

    Ctrl-C ends the search and writes the best plan so far. An infeasible instance gets a smallest set
    of limits that cannot hold together.

    Example: edgeplan solve instances/layer_assignment/vgg11-6-nodes.json -o result.json
    """
    started = begun()
    check_output(output)
    if write_model is not None:
        _write_model(instance, write_model)
        return
    problem = load(instance)
    plan = None
    if warm_start is not None:
        plan, warning = read_plan(warm_start, problem)
        if warning:
            stderr.print(f"[yellow]warning:[/yellow] {escape(warning)}")
    from edgeplan.api import solve as solve_problem

    with progress() as on_incumbent:
        result = solve_problem(
            problem,
            solver,
            time_limit_s=time_limit,
            gap=gap,
            seed=seed,
            workers=workers,
            warm_start=plan,
            on_incumbent=on_incumbent,
            started=started,
        )
    write_json(result.to_document(), output)
    summarise(problem, result)
    raise typer.Exit(exit_code(result))


def _write_model(instance: Path, path: Path) -> None:
    """Write the instance's integer programme, with every step that is allowed and none pruned."""
    from edgeplan.solvers.layer_assignment.milp.written_model import check_suffix, write_model

    check_suffix(path)
    check_output(path)
    problem = as_layer_assignment(load(instance), "--write-model")
    with written_aside(path) as aside:
        count = write_model(problem, aside)
    stderr.print(f"{escape(str(path))}: {count} steps to choose from; nothing was solved")
