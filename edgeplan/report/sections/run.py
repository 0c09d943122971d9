"""A run: what was predicted beside what was measured."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from statistics import median

from edgeplan.report.content import Block, Cell, Facts, Notice, Picture, Section, Table, Tiles, cut_note
from edgeplan.report.figures.canvas import MAX_ROWS
from edgeplan.report.figures.gantt import gantt_svg
from edgeplan.report.figures.rounds import rounds_svg
from edgeplan.report.lanes import Lane, measured_lanes, planned_lanes, predicted_lanes
from edgeplan.report.run_document import RunDocument, RunNode, RunRound, RunStage
from edgeplan.report.sections.head import run_tiles
from edgeplan.report.sections.judged import Judged
from edgeplan.report.sections.learned import learned_blocks
from edgeplan.report.sections.privacy import privacy_blocks
from edgeplan.report.units import bytes_text, counted, ratio_of, ratio_text, seconds_text


def run_section(run: RunDocument, judged: Sequence[Judged], suffix: str) -> Section:
    """Lay out one run; `suffix` keeps the anchors of several runs apart."""
    blocks: list[Block] = [Tiles(run_tiles(run))] if suffix else []
    if run.failures:
        blocks.append(Notice(run.failures, "bad"))
    if run.notes:
        blocks.append(Notice(run.notes, "info"))
    blocks += _gantt(run, judged, suffix)
    blocks += _tables(run)
    blocks += _rounds(run, suffix)
    blocks += learned_blocks(run, suffix)
    blocks += privacy_blocks(run.privacy)
    blocks += _circumstances(run)
    title = f"Run: {run.name}" if suffix else "Predicted and measured"
    return Section(f"run{suffix}", title, _lead(run), tuple(blocks))


def _lead(run: RunDocument) -> str:
    verdict = {True: "Measurement met prediction within the run's tolerances.", None: ""}
    missed = "Measurement missed prediction; see below."
    count = f"{counted(len(run.rounds), 'round')} over {counted(len(run.stages), 'stage')}. "
    return count + verdict.get(run.passed, missed)


def _typical(rounds: Sequence[RunRound]) -> RunRound | None:
    """Round with a timeline whose time is nearest to the median."""
    timed = [entry for entry in rounds if entry.timeline and entry.time_s is not None]
    if not timed:
        return next((entry for entry in rounds if entry.timeline), None)
    middle = median(entry.time_s or 0.0 for entry in timed)
    return min(timed, key=lambda entry: abs((entry.time_s or 0.0) - middle))


def _gantt(run: RunDocument, judged: Sequence[Judged], suffix: str) -> list[Block]:
    planned = _planned(run, judged)
    typical = _typical(run.rounds)
    measured = measured_lanes(typical.timeline) if typical else ()
    if [lane.node for lane in measured] != [lane.node for lane in planned]:
        planned = () if measured else planned
    if not planned and not measured:
        return []
    svg = gantt_svg(f"run-gantt{suffix}", planned, measured)
    both = "Pale bars above are the plan, full bars below the measurement. " if planned and measured else ""
    which = f"Measured is round {typical.round}, the one nearest to the median. " if typical else ""
    caption = both + which + cut_note(MAX_ROWS, len(run.stages), "stages")
    return [Picture("The round as planned and as measured", svg, caption)]


def _planned(run: RunDocument, judged: Sequence[Judged]) -> tuple[Lane, ...]:
    """Lanes of the plan that ran, from a result of the same nodes, or else from the report itself."""
    nodes = [stage.node for stage in run.stages]
    for entry in judged:
        if entry.metrics is not None and [stage.node for stage in entry.metrics.stages] == nodes:
            return planned_lanes(entry.metrics.stages)
    return predicted_lanes(run.stages)


def _tables(run: RunDocument) -> list[Block]:
    if not run.stages:
        return []
    return [_times(run.stages), _bytes(run.stages)]


_TIME_COLUMNS = (
    "#>",
    "node",
    "compute: predicted>",
    "measured>",
    "ratio>",
    "transfer: predicted>",
    "measured>",
    "ratio>",
    "memory: predicted>",
    "measured>",
    "ratio>",
)
_BYTE_COLUMNS = (
    "#>",
    "node",
    "in: predicted>",
    "measured>",
    "equal",
    "out: predicted>",
    "measured>",
    "equal",
    "frozen weights",
)


def _times(stages: Sequence[RunStage]) -> Table:
    rows = [
        (
            str(k),
            stage.node,
            *_pair(stage.predicted.compute_s, stage.measured.compute_s, seconds_text),
            *_pair(stage.predicted.transfer_s, stage.measured.transfer_s, seconds_text),
            *_pair(stage.predicted.memory_bytes, stage.measured.memory_bytes, bytes_text),
        )
        for k, stage in enumerate(stages, start=1)
    ]
    return Table.of("Times and memory of every stage", _TIME_COLUMNS, rows)


def _pair(
    said: float | None, was: float | None, write: Callable[[float | None], str]
) -> tuple[str | Cell, ...]:
    return write(said), write(was), Cell(ratio_text(ratio_of(was, said)), "quiet")


def _bytes(stages: Sequence[RunStage]) -> Table:
    rows = [
        (
            str(k),
            stage.node,
            *_exact(stage.predicted.bytes_in, stage.measured.bytes_in),
            *_exact(stage.predicted.bytes_out, stage.measured.bytes_out),
            _frozen(stage),
        )
        for k, stage in enumerate(stages, start=1)
    ]
    return Table.of("Bytes of every stage, to the byte", _BYTE_COLUMNS, rows)


def _exact(said: int | None, was: int | None) -> tuple[str | Cell, ...]:
    texts = ["–" if number is None else f"{number:,}" for number in (said, was)]
    if said is None or was is None:
        return *texts, Cell("–", "quiet")
    return *texts, Cell("yes", "good") if said == was else Cell(f"no, {was - said:+,}", "bad")


def _frozen(stage: RunStage) -> Cell:
    if stage.frozen_unchanged is None:
        return Cell("not checked", "quiet")
    if not stage.frozen_unchanged:
        return Cell("changed", "bad")
    amount = f"unchanged, {bytes_text(stage.frozen_bytes_checked)}"
    return Cell(amount if stage.frozen_bytes_checked is not None else "unchanged", "good")


def _rounds(run: RunDocument, suffix: str) -> list[Block]:
    if not any(entry.time_s is not None for entry in run.rounds):
        return []
    predicted_s = run.totals.predicted_round_s
    if predicted_s is None:
        predicted_s = next((e.predicted_time_s for e in run.rounds if e.predicted_time_s is not None), None)
    return [Picture("Time of every round", rounds_svg(f"rounds{suffix}", run.rounds, predicted_s))]


def _circumstances(run: RunDocument) -> list[Block]:
    blocks: list[Block] = []
    if run.nodes:
        columns = ("node", "rank>", "samples>", "samples by label")
        rows = [_process_row(node) for node in run.nodes]
        blocks.append(Table.of("Processes and their data", columns, rows, folded=True))
    for title, members in (("Settings", run.settings), ("Machine", run.machine)):
        if members:
            blocks.append(Facts(title, tuple((key, _plain(value)) for key, value in members.items())))
    return blocks


def _process_row(node: RunNode) -> tuple[str, ...]:
    return (
        node.node,
        "–" if node.rank is None else str(node.rank),
        "–" if node.samples is None else f"{node.samples:,}",
        " · ".join(str(count) for count in node.label_counts or ()) or "–",
    )


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
