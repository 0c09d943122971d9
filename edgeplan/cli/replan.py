"""``edgeplan replan``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from edgeplan.cli.begun import begun
from edgeplan.cli.files import STANDARD, check_output, read_plan, write_json
from edgeplan.cli.options import Gap, RandomSeed, SolverOfSolve, TimeLimit, Workers
from edgeplan.cli.outcome import exit_code, progress, summarise
from edgeplan.models.layer_assignment import Plan
from edgeplan.models.problems import as_layer_assignment, load
from edgeplan.models.replanned import Migration, Replanned
from edgeplan.report.units import bytes_text, counted


def replan(
    instance: Annotated[Path, typer.Argument(help="Instance JSON as it is now; - is standard input.")],
    result: Annotated[Path, typer.Argument(help='The old result JSON, or a bare {"plan": ...}.')],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="New result JSON; - is standard output.")
    ] = STANDARD,
    solver: SolverOfSolve = "auto",
    time_limit: TimeLimit = 60.0,
    gap: Gap = 0.0,
    seed: RandomSeed = 0,
    workers: Workers = 1,
) -> None:
    """Plan anew after nodes left or joined: never worse than the old plan repaired.

    The new result says which nodes left, joined and stayed, how many stages changed, and how many bytes
    the new owners of layers must receive before the first new round.

    Example: edgeplan replan changed.json old-result.json -o new-result.json
    """
    started = begun()
    check_output(output)
    problem = as_layer_assignment(load(instance), "replan")
    old = read_plan(result, problem, made_for_another=True)
    assert isinstance(old, Plan)
    from edgeplan.api import replan as replan_problem

    with progress() as on_incumbent:
        new = replan_problem(
            problem,
            old,
            solver,
            time_limit_s=time_limit,
            gap=gap,
            seed=seed,
            workers=workers,
            on_incumbent=on_incumbent,
            started=started,
        )
    write_json(new.to_document(), output)
    assert new.replanned is not None
    summarise(problem, new, _rows(new.replanned))
    raise typer.Exit(exit_code(new))


def _rows(replanned: Replanned) -> dict[str, str]:
    objective = replanned.repaired_objective
    worth = "" if objective is None else f" (objective {objective:.9g})"
    rows = {"old plan": escape(replanned.repair) + worth}
    return rows if replanned.migration is None else rows | _moved(replanned.migration)


def _moved(migration: Migration) -> dict[str, str]:
    sources = (
        ("from old owners", migration.from_owner_bytes),
        ("from others, as the owner left", migration.from_others_bytes),
        ("from a checkpoint or begun anew", migration.from_checkpoint_bytes),
    )
    parts = ", ".join(f"{bytes_text(amount)} {source}" for source, amount in sources if amount)
    moved = f"{bytes_text(migration.moved_bytes)} for {counted(migration.layers_moved, 'layer')}"
    groups = (
        ("left", migration.left),
        ("released", migration.released),
        ("joined", migration.joined),
        ("kept", migration.kept),
    )
    nodes = ", ".join(f"{len(names)} {name}{_named(names)}" for name, names in groups if names)
    changed = counted(migration.stages_changed, "stage") + " changed"
    return {"to move": moved + (f": {parts}" if parts else ""), "nodes": f"{nodes}; {changed}"}


def _named(names: tuple[str, ...]) -> str:
    """Name the nodes where they are few."""
    return f" ({escape(', '.join(names))})" if len(names) <= 3 else ""
