"""What a run learned, and how that compares with the baseline at equal device iterations."""

from __future__ import annotations

from edgeplan.report.content import Block, Cell, Picture, Table
from edgeplan.report.figures.learning import comparison_svg, learning_svg
from edgeplan.report.run_document import Baseline, RunDocument, RunRound
from edgeplan.report.units import UNKNOWN, bytes_text, percent_text, ratio_of, ratio_text

RUN_LABEL = "Snake"


def learned_blocks(run: RunDocument, suffix: str) -> list[Block]:
    """Curves of loss and accuracy, and the comparison where the run made one."""
    blocks: list[Block] = []
    if any(entry.loss is not None or entry.accuracy is not None for entry in run.rounds):
        blocks.append(Picture("Loss and accuracy", learning_svg(f"learning{suffix}", run.rounds)))
    if run.baseline is not None:
        blocks += _comparison(run, run.baseline, suffix)
    return blocks


def _comparison(run: RunDocument, baseline: Baseline, suffix: str) -> list[Block]:
    blocks: list[Block] = []
    title = f"{RUN_LABEL} against {baseline.title}"
    if baseline.rounds and run.rounds:
        svg = comparison_svg(f"comparison{suffix}", RUN_LABEL, run.rounds, baseline)
        caption = "Both end after the same number of local steps over all devices together."
        blocks.append(Picture(f"{title}: accuracy", svg, caption))
    blocks.append(_side_by_side(title, run, baseline))
    return blocks


def _side_by_side(title: str, run: RunDocument, baseline: Baseline) -> Table:
    iterations = UNKNOWN if baseline.device_iterations is None else f"{baseline.device_iterations:,.0f}"
    totals = [_total_bytes(run.rounds), _total_bytes(baseline.rounds)]
    rows = (
        ("device iterations", iterations, iterations, ""),
        (
            "accuracy at the end",
            percent_text(run.totals.accuracy),
            percent_text(baseline.accuracy),
            Cell(ratio_text(baseline.snake_accuracy_ratio), "info"),
        ),
        (
            "bytes a round",
            bytes_text(run.totals.measured_bytes_per_round),
            bytes_text(baseline.bytes_per_round),
            Cell(ratio_text(baseline.snake_bytes_ratio), "info"),
        ),
        ("bytes in all", bytes_text(totals[0]), bytes_text(totals[1]), ratio_text(ratio_of(*totals))),
    )
    columns = ("", f"{RUN_LABEL}>", f"{baseline.title}>", f"{RUN_LABEL} / {baseline.title}>")
    return Table.of(title, columns, rows)


def _total_bytes(rounds: tuple[RunRound, ...]) -> int | None:
    known = [entry.bytes_moved for entry in rounds if entry.bytes_moved is not None]
    return sum(known) if known else None
