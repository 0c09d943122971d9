"""``edgeplan check``."""

from __future__ import annotations

from typing import Annotated

import typer

from edgeplan.cli.files import STANDARD, read_plan, write_json
from edgeplan.cli.options import InstancePath, ResultPath
from edgeplan.models.problems import load

_VIOLATIONS = 6


def check(
    instance: InstancePath,
    result: ResultPath,
    json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
) -> None:
    """Judge any plan: recompute its metrics and objective and list every rule that it breaks."""
    problem = load(instance)
    plan = read_plan(result, problem)
    verdict = problem.check(plan)
    if json:
        write_json(verdict.to_document(), STANDARD)
    elif verdict.feasible:
        typer.echo(f"feasible, objective {verdict.objective!r}")
    else:
        typer.echo(f"{len(verdict.violations)} violations")
        for violation in verdict.violations:
            typer.echo(f"{violation.pointer}: {violation.rule}: {violation.message}")
    raise typer.Exit(0 if verdict.feasible else _VIOLATIONS)
