"""The comparison of policies as Markdown: figures of every policy, ours beside the paper's, losses included.

All cells are means over seeds with 95 % confidence intervals; comparisons are paired, seed by seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from benchmarks.rivals.segment_scheduling import CONTROLLER, POLICIES
from benchmarks.segment_measures import Interval, interval

Row = dict[str, Any]
"""A run: case, seed, policy, figures of the whole horizon ("whole") and of its second half ("late")."""

PAPER = "| CollaPipe's abstract | at least 48.98 % | | up to 15.09 % | | more than 50 % | | | |"
KEPT = 0.01  # a mean within so much of its budget counts as kept


GAINS = {
    "latency_s": "latency lower",
    "micro_batch_s": "a micro-batch sooner",
    "efficiency": "efficiency higher",
    "efficiency_of_all": "efficiency of all higher",
    "memory_bytes": "memory less",
    "slot_memory_bytes": "memory in the mean slot less",
    "energy_j": "energy less",
}
HEADLINES = {
    "latency_s": (0.4898, "Latency at least 48.98 % lower"),
    "micro_batch_s": (0.4898, "A micro-batch at least 48.98 % sooner"),
    "efficiency": (0.1509, "Efficiency at least 15.09 % higher"),
    "efficiency_of_all": (0.1509, "Efficiency of all at least 15.09 % higher"),
    "memory_bytes": (0.5, "Memory of one device halved"),
    "slot_memory_bytes": (0.5, "Memory of one device halved in the mean slot"),
}


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


COLUMNS: dict[str, tuple[str, float, Callable[[float], str]]] = {
    "latency (s)": ("latency_s", 1.0, _number),
    "a micro-batch (s)": ("micro_batch_s", 1.0, _number),
    "efficiency": ("efficiency", 1.0, _percent),
    "of all devices": ("efficiency_of_all", 1.0, _percent),
    "memory (MiB)": ("memory_bytes", 2.0**20, _number),
    "in the mean slot": ("slot_memory_bytes", 2.0**20, _number),
    "share of one device with all": ("memory_share", 1.0, _percent),
    "energy (J)": ("energy_j", 1.0, _number),
    "worst excess": ("excess", 1.0, _percent),
    "noise / budget": ("noise", 1.0, _number),
    "micro-batches": ("micro_batches", 1.0, _number),
    "stages": ("stages", 1.0, _number),
}


def figures(rows: Sequence[Row], part: str) -> Iterator[str]:
    """Yield the table of one case: a line a policy.

    Parameters
    ----------
    rows
        Runs of one case.
    part
        "whole" or "late".
    """
    yield "| policy | " + " | ".join(COLUMNS) + " |"
    yield "| --- |" + " --- |" * len(COLUMNS)
    for policy in _policies(rows):
        own = _of(rows, policy)
        cells = [
            interval([row[part][name] / unit for row in own]).text(write)
            for name, unit, write in COLUMNS.values()
        ]
        yield f"| {policy}{'' if _is_legal(own) else ' (not legal)'} | " + " | ".join(cells) + " |"


def beside_the_paper(rows: Sequence[Row], part: str) -> Iterator[str]:
    """Yield what the controller gains over each policy of one case, beside the paper's figures."""
    yield "| controller against | " + " | ".join(GAINS.values()) + " | keeps the budgets |"
    yield "| --- |" + " --- |" * (1 + len(GAINS))
    yield PAPER
    for policy in _policies(rows):
        if policy != CONTROLLER and _paired(rows, policy):
            cells = [gain.text(_percent) for gain in _gains(rows, policy, part).values()]
            yield f"| {policy} | " + " | ".join(cells) + f" | {_budgets(_of(rows, policy), part)} |"


def _gains(rows: Sequence[Row], policy: str, part: str) -> dict[str, Interval]:
    """Mean gain over a policy by figure; negative where the controller is worse."""
    pairs = [(ours[part], theirs[part]) for ours, theirs in _paired(rows, policy)]
    return {name: interval([_gain(name, a, b) for a, b in pairs]) for name in GAINS}


def _gain(name: str, ours: dict[str, float], theirs: dict[str, float]) -> float:
    ratio = ours[name] / theirs[name]
    return ratio - 1 if name.startswith("efficiency") else 1 - ratio


def verdict(rows: Sequence[Row], part: str) -> Iterator[str]:
    """Yield in words, for one case, which policies give the paper's figures and which beat the controller."""
    gains = {
        policy: _gains(rows, policy, part)
        for policy in _policies(rows)
        if policy != CONTROLLER and _paired(rows, policy)
    }
    for name, (least, what) in HEADLINES.items():
        reached = [policy for policy, gain in gains.items() if gain[name].mean >= least]
        yield f"- {what} against: {', '.join(reached) or 'none'}."
    for name, what in GAINS.items():
        losses = [(policy, -gain[name].mean) for policy, gain in gains.items() if gain[name].mean < 0]
        told = ", ".join(f"{policy} ({_percent(loss)})" for policy, loss in losses)
        yield f'- Loses on "{what}" to: {told or "none"}.'


def _budgets(rows: Sequence[Row], part: str) -> str:
    if not _is_legal(rows):
        return "not legal"
    excess = interval([row[part]["excess"] for row in rows]).mean
    noise = interval([row[part]["noise"] for row in rows]).mean - 1
    broken = [
        f"{what} {_percent(value)} over"
        for what, value in (("energy", excess), ("noise", noise))
        if value > KEPT
    ]
    return ", ".join(broken) or "yes"


def bent_rules(rows: Sequence[Row]) -> Iterator[str]:
    """Yield a list item for every policy that had to bend its rule, is no legal plan, or was cut short."""
    for policy in _policies(rows):
        own = _of(rows, policy)
        illegal = sorted({name for row in own for name in row["illegal"]})
        if illegal:
            yield f"- {policy}: breaks {', '.join(illegal)}"
        for rule, places in _places(own).items():
            yield f"- {policy}: {rule} (seed and cluster: {', '.join(places)})"


def _places(rows: Sequence[Row]) -> dict[str, list[str]]:
    """By how the rule was bent, the seeds and clusters where it was."""
    places: dict[str, list[str]] = {}
    for row in rows:
        for note in row["notes"]:
            cluster, _, rule = note.partition(": ")
            places.setdefault(rule, []).append(f"{row['seed']} {cluster}")
    return places


def effort(rows: Sequence[Row]) -> Iterator[str]:
    """Yield slots a second of every policy, and the gap to which it solved its own slots."""
    yield "| policy | slots a second | mean gap | largest gap |"
    yield "| --- | --- | --- | --- |"
    for policy in _policies(rows):
        own = _of(rows, policy)
        speed = sum(row["slots"] for row in own) / sum(row["seconds"] for row in own)
        gaps = [row["mean_gap"] for row in own if row["mean_gap"] is not None]
        most = max((row["largest_gap"] for row in own if row["largest_gap"] is not None), default=None)
        mean = "" if not gaps else f"{100 * sum(gaps) / len(gaps):.2g} %"
        yield f"| {policy} | {_number(speed)} | {mean} | {'' if most is None else f'{100 * most:.2g} %'} |"


def _policies(rows: Sequence[Row]) -> list[str]:
    there = {row["policy"] for row in rows}
    return [policy for policy in POLICIES if policy in there]


def _of(rows: Sequence[Row], policy: str) -> list[Row]:
    return [row for row in rows if row["policy"] == policy]


def _paired(rows: Sequence[Row], policy: str) -> list[tuple[Row, Row]]:
    """Runs of the controller and of the policy on the same seeds."""
    ours = {row["seed"]: row for row in _of(rows, CONTROLLER)}
    return [(ours[row["seed"]], row) for row in _of(rows, policy) if row["seed"] in ours]


def _is_legal(rows: Sequence[Row]) -> bool:
    return not any(row["illegal"] for row in rows)
