"""``edgeplan solve``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from edgeplan.cli.begun import begun
from edgeplan.cli.console import stderr
from edgeplan.cli.files import STANDARD, check_output, read_plan, write_json, written_aside
from edgeplan.cli.options import Gap, InstancePath, RandomSeed, TimeLimit, Workers
from edgeplan.cli.outcome import exit_code, progress, summarise
from edgeplan.models.problems import as_layer_assignment, load

SolverName = Annotated[
    str,
    typer.Option(
        help="auto; layer_assignment: cp-sat (exact), milp (exact, any PuLP engine: milp:HiGHS, "
        "milp:PULP_CBC_CMD, ...), dp (exact, label setting), at-size (many nodes), heuristic (no bound) "
        "or brute-force (tiny); segment_scheduling: dssda; sparse_update: lagrangian (exact, or with a "
        "proven gap where devices are many), cp-sat, milp, dp (every device for itself)."
    ),
]
WarmStart = Annotated[
    Path | None,
    typer.Option(help="A result or plan to begin with, repaired if it must be; never made worse."),
]
WrittenModel = Annotated[
    Path | None,
    typer.Option(
        help="Write the integer programme of the instance to this .lp or .mps file and end; "
        "nothing is solved."
    ),
]


def solve(
    instance: InstancePath,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Result JSON; - is standard output.")
    ] = STANDARD,
    solver: SolverName = "auto",
    time_limit: TimeLimit = 60.0,
    gap: Gap = 0.0,
    seed: RandomSeed = 0,
    workers: Workers = 1,
    warm_start: WarmStart = None,
    write_model: WrittenModel = None,
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
    plan = None if warm_start is None else read_plan(warm_start, problem)
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
