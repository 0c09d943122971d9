"""The comparison of sparse_executed.py as Markdown: a line a contender, ours beside the paper's figures."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.sparse_contenders import FREE, FUSED, GREEDY_IN_ONE, OURS, PER_TENSOR, UNFUSED, Contender
from edgeplan.models.sparse_update import SparseUpdate
from edgeplan.runtime.sparse.execution.phases import dense_cost

MIB = 2.0**20
OWN_DENSE = "dense, edgeplan's baseline"
ALIKE = {PER_TENSOR: "as fused", OWN_DENSE: "as DDP", GREEDY_IN_ONE: "as above"}
"""What is said of those whose training is that of another, but for rounding."""
PAPER_S = (28.98, 7.14, 5.60)
Scores = dict[int, tuple[float | None, float]]
"""Loss and accuracy on the held-out images, by round."""


@dataclass(frozen=True)
class Row:
    """Figures of a contender: those of `totals` from the paced run, `scores` for every seed."""

    name: str
    contribution: float
    totals: dict[str, Any]
    scores: list[Scores] = field(default_factory=list)
    note: str = ""

    @property
    def memory_bytes(self) -> float:
        """Measured peak of a step, mean over the devices."""
        return float(self.totals["mean_measured_memory_bytes"])

    @property
    def aggregation_s(self) -> float:
        """Measured, median over the paced rounds."""
        return float(self.totals["measured_aggregation_s"])

    @property
    def round_s(self) -> float:
        """Slowest step and aggregation."""
        return float(self.totals["measured_round_s"])

    @property
    def accuracies(self) -> list[float]:
        """At the end, seed by seed."""
        return [scores[max(scores)][1] for scores in self.scores]

    @property
    def losses(self) -> list[float | None]:
        """At the end, seed by seed."""
        return [scores[max(scores)][0] for scores in self.scores]


def row(contender: Contender, paced: dict[str, Any], learned: Sequence[dict[str, Any]]) -> Row:
    """Gather the figures of a contender's runs."""
    totals = paced["totals"]
    if contender.plan is None:
        contribution = totals["contribution"]
    else:
        contribution = contender.problem.metrics(contender.plan)["contribution"]
    return Row(contender.name, contribution, totals, [_scores(report) for report in learned], contender.note)


def row_of_own_dense(problem: SparseUpdate, baseline: dict[str, Any]) -> Row:
    """Gather the figures of the runtime's dense phase."""
    cost = dense_cost(problem.instance)
    assert cost is not None
    return Row(OWN_DENSE, sum(device.contribution for device in cost.device_costs), baseline["totals"])


def _scores(report: dict[str, Any]) -> Scores:
    told = [entry for entry in report["rounds"] if entry["accuracy"] is not None]
    return {entry["round"]: (entry["loss"], entry["accuracy"]) for entry in told}


def document(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the Markdown of all rows."""
    dense = _find(rows, OWN_DENSE)
    yield (
        "| | contribution | memory (MiB) | saved of our dense | aggregation (s) | bytes a round "
        "| collectives | round (s) | accuracy | loss | planned in |"
    )
    yield "| --- |" + " ---: |" * 9 + " --- |"
    for one in rows:
        totals = one.totals
        yield (
            f"| {one.name} | {one.contribution:.1f} | {one.memory_bytes / MIB:.3f} | "
            f"{_percent(1 - one.memory_bytes / dense.memory_bytes)} | "
            f"{totals['predicted_aggregation_s']:.3f} / {one.aggregation_s:.3f} | {_bytes(totals)} | "
            f"{_collectives(totals)} | {one.round_s:.3f} | "
            f"{_spread(one.accuracies, 100, '.1f') or ALIKE.get(one.name, '')} | "
            f"{_spread(one.losses, 1, '.3f') or ALIKE.get(one.name, '')} | {one.note} |"
        )
    yield ""
    yield from _learning(rows)
    yield ""
    yield from _beside_the_paper(rows)


def _bytes(totals: dict[str, Any]) -> str:
    predicted = totals["predicted_bytes_per_round"]
    return f"{predicted:,}, {'equal' if totals['bytes_equal'] else 'NOT equal'}"


def _collectives(totals: dict[str, Any]) -> str:
    predicted, measured = totals["predicted_num_collectives"], totals["measured_num_collectives"]
    return f"{measured}" if predicted is None else f"{predicted} / {measured}"


def _spread(values: Sequence[float | None], scale: float, style: str) -> str:
    """Mean and standard deviation; nothing where nothing was trained, or training diverged."""
    known = [scale * value for value in values if value is not None]
    if not known or len(known) < len(values):
        return "diverged" if values else ""
    deviation = statistics.stdev(known) if len(known) > 1 else 0.0
    return f"{statistics.fmean(known):{style}} ± {deviation:{style}}"


def _learning(rows: Sequence[Row]) -> Iterator[str]:
    """Accuracy over the rounds."""
    trained = [one for one in rows if one.scores]
    numbers = sorted(trained[0].scores[0]) if trained else []
    yield "| accuracy (%) after | " + " | ".join(f"{number} rounds" for number in numbers) + " |"
    yield "| --- |" + " ---: |" * len(numbers)
    for one in trained:
        cells = [_spread([scores[number][1] for scores in one.scores], 100, ".1f") for number in numbers]
        yield f"| {one.name} | " + " | ".join(cells) + " |"


def _beside_the_paper(rows: Sequence[Row]) -> Iterator[str]:
    per_tensor, fused, own_dense = (_find(rows, name) for name in (PER_TENSOR, FUSED, OWN_DENSE))
    unfused, ours, free = (_find(rows, name) for name in (UNFUSED, OURS, FREE))
    shape = (per_tensor, unfused, ours)
    yield "| dense per tensor : sparse unfused : sparse fused | seconds | over the last |"
    yield "| --- | ---: | ---: |"
    yield _ratios("the paper's batch", PAPER_S)
    yield _ratios("our round", [one.round_s for one in shape])
    yield _ratios("our aggregation", [one.aggregation_s for one in shape])
    yield _ratios(
        "our round, the last with free collectives", [*(one.round_s for one in shape[:2]), free.round_s]
    )
    yield ""
    yield "| saved | by | of | here | paper |"
    yield "| --- | --- | --- | ---: | ---: |"
    for base in (own_dense, fused):
        saved = _percent(1 - ours.memory_bytes / base.memory_bytes)
        yield f"| memory | {ours.name} | {base.name} | {saved} | 59.6 % |"
    papers = {(PER_TENSOR, UNFUSED): "75.4 %", (PER_TENSOR, OURS): "80.7 %"}
    for base in (per_tensor, fused):
        for one in (unfused, ours, free):
            saved = _percent(1 - one.round_s / base.round_s)
            yield f"| round | {one.name} | {base.name} | {saved} | {papers.get((base.name, one.name), '')} |"


def _ratios(name: str, seconds: Sequence[float]) -> str:
    told = " : ".join(f"{value:.2f}" for value in seconds)
    over = " : ".join(f"{value / seconds[-1]:.2f}" for value in seconds)
    return f"| {name} | {told} | {over} |"


def _find(rows: Sequence[Row], name: str) -> Row:
    return next(one for one in rows if one.name == name)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
