"""A simulation as people read it."""

from __future__ import annotations

from rich import box
from rich.markup import escape
from rich.table import Table

from edgeplan.cli.console import figures, stderr
from edgeplan.models.simulated import Simulation
from edgeplan.report.simulated_figures import COLUMNS, circumstances, distributions, spent


def show(simulation: Simulation) -> None:
    """Print the simulation to standard error."""
    settings = simulation.settings
    stderr.print(f"[bold]{escape(simulation.name)}[/bold]: {settings.rounds:,} rounds, seed {settings.seed}")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for position, name in enumerate(COLUMNS):
        table.add_column(name, justify="right" if position else "left", no_wrap=True)
    for row in distributions(simulation):
        table.add_row(*row)
    stderr.print(table, soft_wrap=False)
    stderr.print(figures(dict(spent(simulation)) | circumstances(simulation)))
    for note in simulation.notes:
        stderr.print(f"note: {escape(note)}", style="dim")
