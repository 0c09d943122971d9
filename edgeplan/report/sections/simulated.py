"""A simulation: what a round takes where nodes are neither always there nor always as fast."""

from __future__ import annotations

from edgeplan.models.simulated import Simulation
from edgeplan.report.content import Block, Notice, Picture, Section, Table
from edgeplan.report.figures.round_times import round_times_svg
from edgeplan.report.simulated_figures import COLUMNS, circumstances, distributions, spent

_TITLE = "Simulated rounds"


def simulation_section(simulation: Simulation, suffix: str) -> Section:
    """Lay out one simulation; `suffix` keeps the anchors of several apart."""
    blocks: list[Block] = [
        Picture("Time of a round", round_times_svg(f"simulated{suffix}", simulation)),
        Table.of(
            "Figures of a round",
            tuple(f"{name}>" if k else name for k, name in enumerate(COLUMNS)),
            distributions(simulation),
        ),
        Table.of("What happened", ("", ">"), [*spent(simulation), *circumstances(simulation).items()]),
        Notice(simulation.notes, "info"),
    ]
    title = f"{_TITLE}: seed {simulation.settings.seed}" if suffix else _TITLE
    return Section(f"simulation{suffix}", title, _lead(simulation), tuple(blocks))


def _lead(simulation: Simulation) -> str:
    settings = simulation.settings
    return f"{settings.rounds:,} rounds, each by itself, seed {settings.seed}."
