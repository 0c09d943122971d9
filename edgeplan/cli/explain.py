"""``edgeplan explain``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from edgeplan.cli.begun import begun
from edgeplan.cli.console import stderr
from edgeplan.cli.files import STANDARD, check_output, read_plan, write_json
from edgeplan.cli.options import InstancePath, RandomSeed, SolverOfSolve, Workers
from edgeplan.models.explanation import Explanation
from edgeplan.models.problems import load
from edgeplan.models.result import Status

_VIOLATIONS, _INTERRUPTED = 6, 130
_EXIT_CODE = {Status.INFEASIBLE: 3, Status.NO_PLAN: 5, Status.FAILED: 7}


def explain(
    instance: InstancePath,
    result: Annotated[
        Path | None, typer.Argument(help='Result JSON, or a bare {"plan": ...}; solved first by default.')
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Also write the JSON here.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    solver: SolverOfSolve = "auto",
    time_limit: Annotated[float, typer.Option(help="Wall-clock seconds for all re-solving.")] = 60.0,
    seed: RandomSeed = 0,
    workers: Workers = 1,
) -> None:
    """Say why there is no plan, or what holds the plan back and what to buy.

    Of layer_assignment every gain is found by solving the changed instance: a GiB, a Mbit/s, a tenth more
    speed, one more node, one more unit of a limit. A conflict is checked by solving too. Of
    segment_scheduling it names the budgets that no policy can meet on the given gains. Of sparse_update it
    tells what more memory, rate or speed would bring.

    Example: edgeplan explain instance.json result.json --time-limit 30
    """
    started = begun()
    if output is not None:
        check_output(output)
    problem = load(instance)
    plan = None if result is None else read_plan(result, problem)
    from edgeplan.api import explain as explain_problem

    with _steps() as on_step:
        explanation = explain_problem(
            problem,
            plan,
            solver=solver,
            time_limit_s=time_limit,
            seed=seed,
            workers=workers,
            on_step=on_step,
            started=started,
        )
    if output is not None:
        write_json(explanation.to_document(), output)
    if json:
        write_json(explanation.to_document(), STANDARD)
    elif output != STANDARD:
        from edgeplan.cli.explained import show

        show(problem, explanation)
    raise typer.Exit(_exit_code(explanation))


def _exit_code(explanation: Explanation) -> int:
    if explanation.interrupted:
        return _INTERRUPTED
    return _VIOLATIONS if explanation.status is None else _EXIT_CODE.get(explanation.status, 0)


@contextmanager
def _steps() -> Iterator[Callable[[str], None] | None]:
    """Show what is being done, on a terminal only."""
    if not stderr.is_terminal:
        yield None
        return
    with stderr.status("reading") as status:
        yield lambda text: status.update(f"{escape(text)}  (Ctrl-C tells what is known)")
