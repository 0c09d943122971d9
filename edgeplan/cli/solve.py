"""``edgeplan solve``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from edgeplan.cli.console import figures, stderr
from edgeplan.cli.files import STANDARD, check_output, read_plan, write_json
from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.problems import load
from edgeplan.models.result import Incumbent, Result, Status, Stop

if TYPE_CHECKING:
    from edgeplan.solvers.search import OnIncumbent

_EXIT_CODE = {
    Status.OPTIMAL: 0,
    Status.FEASIBLE: 0,
    Status.INFEASIBLE: 3,
    Status.NO_PLAN: 5,
    Status.FAILED: 7,
}


def solve(
    instance: Annotated[Path, typer.Argument(help="Instance JSON; - is standard input.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Result JSON; - is standard output.")
    ] = STANDARD,
    solver: Annotated[
        str, typer.Option(help="auto, cp-sat (exact), heuristic (fast, no bound) or brute-force (tiny).")
    ] = "auto",
    time_limit: Annotated[float, typer.Option(help="Wall-clock seconds for everything.")] = 60.0,
    gap: Annotated[float, typer.Option(help="Relative gap at which to stop.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
    workers: Annotated[int, typer.Option(help="Parallel workers of the back-end.")] = 1,
    warm_start: Annotated[
        Path | None, typer.Option(help="A result or plan to begin with; the answer is never worse.")
    ] = None,
) -> None:
    """Solve an instance: the best plan, a proven bound on every plan, and how far apart they are.

    Ctrl-C ends the search and writes the best plan so far. An infeasible instance gets a smallest set
    of limits that cannot hold together.

    Example: edgeplan solve instances/layer_assignment/vgg11-6-nodes.json -o result.json
    """
    started = time.monotonic()
    check_output(output)
    problem = load(instance)
    plan = None
    if warm_start is not None:
        plan, warning = read_plan(warm_start, problem)
        if warning:
            stderr.print(f"[yellow]warning:[/yellow] {escape(warning)}")
    from edgeplan.api import solve as solve_problem

    with _progress() as on_incumbent:
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
    _summarise(problem, result)
    raise typer.Exit(130 if result.stop is Stop.INTERRUPT else _EXIT_CODE[result.status])


@contextmanager
def _progress() -> Iterator[OnIncumbent | None]:
    """Show objective, bound and gap on a live line, on a terminal only."""
    if not stderr.is_terminal:
        yield None
        return
    with stderr.status("searching for a first plan") as status:

        def show(incumbent: Incumbent) -> None:
            objective = "none" if incumbent.objective is None else f"{incumbent.objective:.6g}"
            bound = "none" if incumbent.bound is None else f"{incumbent.bound:.6g}"
            status.update(
                f"{incumbent.runtime_s:.1f} s  objective {objective}  bound {bound}  (Ctrl-C keeps the best)"
            )

        yield show


def _summarise(problem: LayerAssignment, result: Result) -> None:
    rows = {"instance": escape(problem.instance.name), "status": f"{result.status} ({result.stop})"}
    if result.plan is not None:
        gap = "unknown" if result.gap is None else f"{100 * result.gap:.4g} %"
        bound = "unknown" if result.bound is None else f"{result.bound:.9g}"
        rows |= {"objective": f"{result.objective:.9g}  (bound {bound}, gap {gap})"}
        rows |= {"stages": str(len(result.plan["stages"]))}
    if result.detail:
        rows["detail"] = escape(result.detail)
    warm = result.solver.options.get("warm_start")
    if warm:
        rows["warm start"] = escape(str(warm))
    rows["solver"] = f"{result.solver.name} {result.solver.version}, {result.runtime_s:.2f} s"
    stderr.print(figures(rows))
    for conflict in result.conflicts:
        stderr.print(f"  [red]conflict[/red] {escape(conflict.pointer)}: {escape(conflict.message)}")
