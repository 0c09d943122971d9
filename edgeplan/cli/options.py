"""Arguments and options that several verbs share, and what one verb was given of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from edgeplan.errors import UsageError

InstancePath = Annotated[Path, typer.Argument(help="Instance JSON; - is standard input.")]
ResultPath = Annotated[Path, typer.Argument(help='Result JSON, or a bare {"plan": ...}.')]
JsonOutput = Annotated[Path, typer.Option("-o", "--output", help="JSON; - is standard output.")]
SolverOfSolve = Annotated[str, typer.Option(help="As for solve.")]
TimeLimit = Annotated[float, typer.Option(help="Wall-clock seconds for everything.")]
Gap = Annotated[float, typer.Option(help="Relative gap at which to stop.")]
RandomSeed = Annotated[int, typer.Option(help="Random seed.")]
Workers = Annotated[int, typer.Option(help="Parallel workers of the back-end.")]
AggregationWeight = Annotated[
    float, typer.Option(min=0, help="Contribution that a second of aggregation costs.")
]


def given(**options: Any) -> dict[str, Any]:
    """Keep the options that have a value."""
    return {name: value for name, value in options.items() if value is not None}


def refuse(options: dict[str, Any], subject: str) -> None:
    """Refuse options that say nothing about this subject.

    Raises
    ------
    UsageError
        With the first of them.
    """
    for name, value in options.items():
        option = f"--{name.replace('_', '-')}"
        raise UsageError(f"{option}: {value}: says nothing about {subject}; leave it out")
