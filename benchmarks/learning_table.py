"""The comparison of learning.py as Markdown: a line a method, and ours beside the paper's claims."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.learning_methods import DISTILLING, FEDERATED, SNAKE, SPLIT

MIB = 2.0**20
TARGET = 0.6
"""Accuracy that the paper counts device iterations to."""
CLAIMED_SHARE = "above 0.95 (alpha 2)"
LANGUAGE = "topics"


@dataclass(frozen=True)
class Run:
    """One method trained once.

    Parameters
    ----------
    data, method, split, seed, rate
        Which run it is; `rate` is its learning rate.
    curve
        Loss and accuracy on the held-out samples by device iterations and bytes so far.
    memory
        Measured peaks in bytes: of the device that needs most, and where there is one of the server.
    divergences
        How far each node's labels are from those of all.
    """

    data: str
    method: str
    split: str
    seed: int
    rate: float
    curve: list[dict[str, Any]]
    memory: dict[str, int]
    divergences: list[float]

    @property
    def score(self) -> float:
        """Accuracy in per cent, or perplexity, at the end."""
        return self.score_of(self.curve[-1])

    def score_of(self, point: dict[str, Any]) -> float:
        """Accuracy in per cent, or perplexity, at a point of the curve."""
        return math.exp(point["loss"]) if self.data == LANGUAGE else 100.0 * point["accuracy"]

    @property
    def iterations_to_target(self) -> float:
        """Device iterations to the first score at `TARGET`; infinite when it is not reached."""
        reached = (point["device_iterations"] for point in self.curve if point["accuracy"] >= TARGET)
        return next(reached, math.inf)


def document(runs: Sequence[Run]) -> Iterator[str]:
    """Yield the Markdown of all runs."""
    for data in dict.fromkeys(run.data for run in runs):
        some = [run for run in runs if run.data == data]
        yield f"**{data}**: {_what(some)}"
        yield ""
        yield from _scores(some)
        yield ""
        yield from _curves(some)
        yield ""
        yield from _claims(some)
        yield ""


def _what(runs: Sequence[Run]) -> str:
    iterations = runs[0].curve[-1]["device_iterations"]
    measure = (
        "perplexity of a character, less is better" if runs[0].data == LANGUAGE else "accuracy in per cent"
    )
    seeds = len({run.seed for run in runs})
    return f"{measure}, after {iterations:,} device iterations; mean ± standard deviation of {seeds} seeds."


def _scores(runs: Sequence[Run]) -> Iterator[str]:
    splits = _splits(runs)
    measured = [*splits, *(f"loss, {split}" for split in splits)]
    yield f"| | {' | '.join(measured)} | bytes (MB) | memory, device (MiB) | of the server | rate |"
    yield "| --- |" + " ---: |" * (len(measured) + 4)
    for method, own in _by_method(runs):
        scores = [_spread([run.score for run in own if run.split == split], ".1f") for split in splits]
        losses = [
            _spread([run.curve[-1]["loss"] for run in own if run.split == split], ".3f") for split in splits
        ]
        server = max((run.memory.get("server", 0) for run in own), default=0)
        yield (
            f"| {method} | {' | '.join([*scores, *losses])} | {own[0].curve[-1]['bytes'] / 1e6:.1f} | "
            f"{_memory(own)} | {f'{server / MIB:.2f}' if server else ''} | {own[0].rate:g} |"
        )


def _memory(runs: Sequence[Run]) -> str:
    """Return the peak of the device that needs most, of all splits or from the least to the most."""
    peaks = sorted({f"{run.memory['device'] / MIB:.2f}" for run in runs}, key=float)
    return peaks[0] if len(peaks) == 1 else f"{peaks[0]} to {peaks[-1]}"


def _curves(runs: Sequence[Run]) -> Iterator[str]:
    points = runs[0].curve
    shown = sorted({max(0, round(len(points) * share) - 1) for share in (0.2, 0.4, 0.6, 0.8, 1.0)})
    yield (
        "| after device iterations | "
        + " | ".join(f"{points[k]['device_iterations']:,}" for k in shown)
        + " |"
    )
    yield "| --- |" + " ---: |" * len(shown)
    for split in _splits(runs):
        for method, own in _by_method(run for run in runs if run.split == split):
            cells = [_spread([run.score_of(run.curve[k]) for run in own], ".1f") for k in shown]
            yield f"| {split}, {method} | {' | '.join(cells)} |"


def _claims(runs: Sequence[Run]) -> Iterator[str]:
    """Compare with plain federated averaging, whose rate stays as it is, seed by seed."""
    yield "| over federated averaging | " + " | ".join(_splits(runs)) + " | the paper |"
    yield "| --- |" + " ---: |" * len(_splits(runs)) + " --- |"
    score = "perplexity" if runs[0].data == LANGUAGE else "accuracy"
    for method in dict.fromkeys(run.method for run in runs if run.method != FEDERATED):
        claim = CLAIMED_SHARE if method.startswith(SNAKE) and score == "accuracy" else ""
        yield _ratio(f"{method}: {score}", runs, method, FEDERATED, paper=claim)
    yield _ratio("Snake: bytes", runs, SNAKE, FEDERATED, lambda run: run.curve[-1]["bytes"], "about half")
    for method, paper in ((SNAKE, "0.162 (3.13 / 19.37 GB, OPT-1.3B)"), (DISTILLING, "")):
        yield _ratio(f"{method}: memory", runs, method, FEDERATED, lambda run: run.memory["device"], paper)
    if runs[0].data != LANGUAGE:
        for method in (SNAKE, DISTILLING, FEDERATED, SPLIT):
            cells = [_iterations(_of(runs, method, split)) for split in _splits(runs)]
            yield f"| {method}: device iterations to {TARGET:.0%} | {' | '.join(cells)} | Snake fewer |"


def _ratio(
    name: str,
    runs: Sequence[Run],
    method: str,
    rival: str,
    figure: Callable[[Run], float] = lambda run: run.score,
    paper: str = "",
) -> str:
    cells = []
    for split in _splits(runs):
        pairs = zip(_of(runs, method, split), _of(runs, rival, split), strict=True)
        ratios = [figure(ours) / figure(theirs) for ours, theirs in pairs]
        cells.append(_spread(ratios, ".3f") if min(ratios) < max(ratios) else f"{ratios[0]:.3f}")
    return f"| {name} | {' | '.join(cells)} | {paper} |"


def _iterations(runs: Sequence[Run]) -> str:
    return ", ".join(f"{run.iterations_to_target:,.0f}" for run in runs)


def _of(runs: Iterable[Run], method: str, split: str) -> list[Run]:
    return [run for run in runs if (run.method, run.split) == (method, split)]


def _by_method(runs: Iterable[Run]) -> Iterator[tuple[str, list[Run]]]:
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(run.method, []).append(run)
    yield from found.items()


def _splits(runs: Iterable[Run]) -> list[str]:
    return list(dict.fromkeys(run.split for run in runs))


def _spread(values: Sequence[float], style: str) -> str:
    """Mean and standard deviation."""
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.fmean(values):{style}} ± {deviation:{style}}"
