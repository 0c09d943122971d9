"""How far a run was from its prediction, and whether that is more than was allowed."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from edgeplan.errors import UsageError

NAMES = ("bytes", "memory", "transfer", "compute", "round")
"""Figures of a run that are predicted: bytes moved, peaks of memory, and seconds."""

Pair = tuple[float | None, float | None]
"""Predicted and measured."""


def deviation_of(
    pairs: Iterable[Pair], summary: Callable[[Sequence[float]], float] = statistics.median
) -> float | None:
    """Return the median of relative deviations; None where nothing is predicted or measured.

    Parameters
    ----------
    pairs
        Predicted and measured figures.
    summary
        What takes the median's place.

    Examples
    --------
    >>> deviation_of([(10.0, 11.0), (10.0, 8.0), (10.0, 10.0)])
    0.1
    >>> deviation_of([(0.0, 0.0)]) is None
    True
    """
    found = [
        abs(measured - predicted) / predicted
        for predicted, measured in pairs
        if predicted and measured is not None
    ]
    return summary(found) if found else None


def tolerances_of(texts: Sequence[str]) -> dict[str, float]:
    """Read tolerances as they are given on the command line.

    Parameters
    ----------
    texts
        Name of a figure and largest relative deviation.

    Raises
    ------
    UsageError
        With the first that is no tolerance.

    Examples
    --------
    >>> tolerances_of(["round=0.1", "memory=5%"])
    {'round': 0.1, 'memory': 0.05}
    """
    return dict(_tolerance_of(text) for text in texts)


def _tolerance_of(text: str) -> tuple[str, float]:
    name, _, figure = text.partition("=")
    rule = f"must be one of {', '.join(NAMES)}, =, and a share such as 0.1 or 10%"
    try:
        share = float(figure.removesuffix("%")) / (100 if figure.endswith("%") else 1)
    except ValueError:
        raise UsageError(f"--assert {text}: {rule}") from None
    if name not in NAMES or not share >= 0:
        raise UsageError(f"--assert {text}: {rule}")
    return name, share


def missed(deviations: Mapping[str, float | None], tolerances: Mapping[str, float]) -> Iterator[str]:
    """Yield the tolerances that a run has missed.

    Examples
    --------
    >>> list(missed({"round": 0.125, "memory": None}, {"round": 0.1, "memory": 0.1}))
    ['round: 12.5 % off the prediction, 10 % allowed', 'memory: not measured, 10 % off allowed']
    """
    for name, allowed in tolerances.items():
        found = deviations[name]
        if found is None:
            yield f"{name}: not measured, {100 * allowed:g} % off allowed"
        elif found > allowed:
            yield f"{name}: {100 * found:.3g} % off the prediction, {100 * allowed:g} % allowed"
