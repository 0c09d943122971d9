"""``edgeplan schema``."""

from __future__ import annotations

from typing import Annotated

import typer

from edgeplan.cli.files import STANDARD, write_json
from edgeplan.errors import UsageError
from edgeplan.models.problems import PROBLEMS, schemas


def schema(
    problem: Annotated[
        str,
        typer.Argument(help="Name of the problem: layer_assignment, segment_scheduling or sparse_update."),
    ],
) -> None:
    """Print the JSON Schema of a problem's instance and of its result.

    The schema states types, ranges and names; rules across members, such as ids that must exist, are
    checked by every verb that reads an instance.
    """
    if problem not in PROBLEMS:
        raise UsageError(f"{problem!r}: must be one of {', '.join(PROBLEMS)}")
    write_json(schemas(problem), STANDARD)
