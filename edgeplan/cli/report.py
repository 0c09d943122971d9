"""``edgeplan report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from edgeplan.cli.console import stderr
from edgeplan.cli.files import STANDARD, check_output, write_text


def report(
    documents: Annotated[
        list[Path],
        typer.Argument(
            help="Any mix of an instance, results, run reports (run.json) and sweeps that belong together."
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="HTML; - is standard output.")] = Path(
        "report.html"
    ),
) -> None:
    """Write one self-contained HTML page: plan, memory, network, predicted and measured, accuracy.

    A result alone gives the plan and its memory; with the instance comes the network, with run
    reports what was measured. Of segment_scheduling: a slot's pipelines, budgets and queues over the
    slots, and a sweep's trade-off.

    Example: edgeplan report instance.json result.json run/run.json -o report.html
    """
    check_output(output)
    from edgeplan.report import render_report

    write_text(render_report(documents), output)
    if output != STANDARD:
        stderr.print(f"report: {escape(str(output))}")
