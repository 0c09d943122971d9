"""The comparison as Markdown: a line an instance, a summary a rival, and every loss of ours.

Ratios are to the bound that our solver proved; where it proved none, to the best objective that anyone
reached, and the line says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

EQUAL = 1e-6  # relative difference below which two objectives count as equal


@dataclass(frozen=True)
class Entry:
    """What one planner gave on one instance.

    Parameters
    ----------
    objective
        As the problem recomputed it; None for no plan.
    seconds
        Wall-clock time of the planner.
    note
        Why there is no plan, if not for the limits.
    """

    objective: float | None
    seconds: float
    note: str = ""


@dataclass(frozen=True)
class Line:
    """One instance.

    Parameters
    ----------
    name
        What it is.
    bound
        What our solver proved that no plan goes below; None where it proved nothing.
    ours
        Our solver.
    status
        What it says is known.
    solver
        Which solver it took.
    rivals
        The rivals by name.
    """

    name: str
    bound: float | None
    ours: Entry
    status: str
    solver: str
    rivals: dict[str, Entry]

    @property
    def reference(self) -> float | None:
        """What ratios refer to."""
        if self.bound is not None and self.bound > 0:
            return self.bound
        known = [entry.objective for entry in (self.ours, *self.rivals.values())]
        return min((objective for objective in known if objective is not None), default=None)

    @property
    def gap(self) -> float | None:
        """Our proven gap, relative to our objective; None without a bound above the trivial one."""
        if self.bound is None or self.bound <= 0 or self.ours.objective is None:
            return None
        return (self.ours.objective - self.bound) / max(self.ours.objective, 1e-12)


def head(rivals: Sequence[str]) -> Iterator[str]:
    """Yield the first two rows of the table."""
    yield "| instance | edgeplan | gap | by | " + " | ".join(rivals) + " |"
    yield "| --- |" + " --- |" * (3 + len(rivals))


def row(line: Line) -> str:
    """Return the row of one instance: ratio and seconds of each planner."""
    cells = [_cell(entry, line.reference) for entry in (line.ours, *line.rivals.values())]
    return f"| {line.name} | {cells[0]} | {_gap(line)} | {line.solver} | " + " | ".join(cells[1:]) + " |"


def _gap(line: Line) -> str:
    if line.gap is None:
        return "no bound" if line.ours.objective is not None else line.status
    return "optimal" if line.status == "optimal" else f"{100 * line.gap:.2g} %"


def _cell(entry: Entry, reference: float | None) -> str:
    if entry.objective is None or reference is None:
        return f"{entry.note or 'no plan'}, {_seconds(entry)}"
    return f"{_ratio(entry.objective, reference)}, {_seconds(entry)}"


def _ratio(objective: float, reference: float) -> str:
    ratio = objective / reference if reference else math.inf
    return f"{ratio:.4f}" if ratio < 10 else f"{ratio:.3g}"


def _seconds(entry: Entry) -> str:
    return f"{entry.seconds:.2f} s" if entry.seconds < 1 else f"{entry.seconds:.0f} s"


def summary(lines: Sequence[Line]) -> Iterator[str]:
    """Yield the summary: rival against edgeplan, over the instances that have a plan at all."""
    solvable = [line for line in lines if line.reference is not None]
    yield (
        "| rival | objective / edgeplan's, geometric mean | worst | worse than edgeplan | equal | better "
        "| no plan where edgeplan has one | plan where edgeplan has none | median time |"
    )
    yield "| --- |" + " --- |" * 8
    for name in solvable[0].rivals if solvable else ():
        yield _summary_row(name, solvable)


def _summary_row(name: str, lines: Sequence[Line]) -> str:
    ratios = [ratio for line in lines if (ratio := _against_ours(line, name)) is not None]
    missing = sum(line.rivals[name].objective is None and line.ours.objective is not None for line in lines)
    alone = sum(line.rivals[name].objective is not None and line.ours.objective is None for line in lines)
    worse, better = (sum(ratio > 1 + EQUAL for ratio in ratios), sum(ratio < 1 - EQUAL for ratio in ratios))
    times = sorted(line.rivals[name].seconds for line in lines)
    mean = f"{geometric_mean(ratios):.3f}" if ratios else "none"
    worst = _ratio(max(ratios), 1.0) if ratios else "none"
    counts = f"{worse} | {len(ratios) - worse - better} | {better} | {missing} | {alone}"
    return f"| {name} | {mean} | {worst} | {counts} | {times[len(times) // 2]:.2f} s |"


def _against_ours(line: Line, name: str) -> float | None:
    theirs, ours = line.rivals[name].objective, line.ours.objective
    return None if theirs is None or ours is None or ours <= 0 else theirs / ours


def geometric_mean(values: Iterable[float]) -> float:
    """Return the geometric mean of positive numbers.

    Examples
    --------
    >>> geometric_mean([1.0, 4.0])
    2.0
    """
    logs = [math.log(value) for value in values]
    return math.exp(sum(logs) / len(logs))


def losses(lines: Iterable[Line]) -> Iterator[str]:
    """Yield a list item for every instance on which a rival has a better plan than we have."""
    for line in lines:
        for name, entry in line.rivals.items():
            ratio = _against_ours(line, name)
            if ratio is not None and ratio < 1 - EQUAL:
                yield f"- {line.name}: {name} is {100 * (1 - ratio):.3g} % better ({entry.seconds:.1f} s)"
            elif entry.objective is not None and line.ours.objective is None:
                yield f"- {line.name}: {name} has a plan and edgeplan has none ({entry.seconds:.1f} s)"
