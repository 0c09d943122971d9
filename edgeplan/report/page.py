"""The page: sections in order, set into the template."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from edgeplan.report.content import Page, Picture, Section
from edgeplan.report.inputs import Inputs
from edgeplan.report.schedule.horizon import Horizon
from edgeplan.report.sections import head
from edgeplan.report.sections.judged import Judged, judge
from edgeplan.report.sections.memory import memory_section
from edgeplan.report.sections.model import model_section
from edgeplan.report.sections.network import network_section
from edgeplan.report.sections.plan import plan_section
from edgeplan.report.sections.run import run_section
from edgeplan.report.sections.schedule.budgets import budgets_section
from edgeplan.report.sections.schedule.carried import carried_section
from edgeplan.report.sections.schedule.clusters import clusters_section
from edgeplan.report.sections.schedule.slot import slot_section
from edgeplan.report.sections.schedule.sweep import sweep_section, sweep_tiles
from edgeplan.report.sections.simulated import simulation_section

_SVG_ID = re.compile(r'(\bid="|href="#|url\(#)')


def render_page(inputs: Sequence[Inputs]) -> str:
    """Lay out the inputs, a chapter an instance, and render one HTML document; all text is escaped."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    chapters = [_numbered(lay_out(chapter), k) for k, chapter in enumerate(inputs, start=1)]
    return environment.get_template("page.html.j2").render(chapters=chapters)


def _numbered(chapter: Page, number: int) -> Page:
    """Keep anchors and the pictures' ids apart from those of the first chapter."""
    if number == 1:
        return chapter
    prefix = f"chapter-{number}-"
    sections = (
        replace(
            section,
            anchor=prefix + section.anchor,
            blocks=tuple(
                replace(block, svg=_SVG_ID.sub(rf"\g<1>{prefix}", block.svg))
                if isinstance(block, Picture)
                else block
                for block in section.blocks
            ),
        )
        for section in chapter.sections
    )
    return replace(chapter, sections=tuple(sections))


def lay_out(inputs: Inputs) -> Page:
    """Choose and order what the page shows."""
    judged = tuple(judge(inputs.problem, result) for result in inputs.results)
    return Page(
        title=head.title_of(inputs),
        subtitle=head.subtitle_of(inputs),
        badges=head.badges_of(judged, inputs.runs),
        tiles=(
            *head.tiles_of(judged, inputs.runs),
            *(sweep_tiles(inputs.sweeps[0]) if len(inputs.sweeps) == 1 else ()),
        ),
        facts=head.facts_of(inputs),
        sections=tuple(_sections(inputs, judged)),
    )


def _schedule_sections(horizon: Horizon, suffix: str) -> list[Section]:
    found = (make(horizon, suffix) for make in (slot_section, carried_section, budgets_section))
    return [section for section in found if section is not None]


def _sections(inputs: Inputs, judged: Sequence[Judged]) -> list[Section]:
    sections: list[Section] = []
    if len(judged) > 1:
        lead = "Several answers to the same instance."
        sections.append(Section("results", "Results", lead, (head.comparison_of(judged),)))
    for k, entry in enumerate(judged, start=1):
        suffix = f"-{k}" if len(judged) > 1 else ""
        memory = memory_section(entry, inputs.assignment, inputs.runs, suffix)
        sections += [plan_section(entry, inputs.problem, suffix), *([memory] if memory else [])]
        if entry.horizon is not None:
            sections += _schedule_sections(entry.horizon, suffix)
    for k, run in enumerate(inputs.runs, start=1):
        sections.append(run_section(run, judged, f"-{k}" if len(inputs.runs) > 1 else ""))
    for k, sweep in enumerate(inputs.sweeps, start=1):
        suffix = f"-{k}" if len(inputs.sweeps) > 1 else ""
        sections.append(sweep_section(sweep, suffix, knows_instance=inputs.problem is not None))
    for k, simulation in enumerate(inputs.simulations, start=1):
        suffix = f"-{k}" if len(inputs.simulations) > 1 else ""
        sections.append(simulation_section(simulation, suffix))
    if inputs.assignment is not None:
        shown = next((entry for entry in judged if entry.plan is not None), None)
        instance = inputs.assignment.instance
        sections.append(network_section(inputs.assignment, shown))
        sections.append(model_section(instance.model, instance.shared_layers, shown))
    if inputs.scheduling is not None:
        sections.append(clusters_section(inputs.scheduling))
        sections.append(model_section(inputs.scheduling.instance.model, (), None))
    return sections
