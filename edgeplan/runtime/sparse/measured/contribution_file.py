"""Contributions that a user knows, as a CSV file."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path

from edgeplan.errors import UsageError
from edgeplan.runtime.sparse.layers import TrainableLayer
from edgeplan.runtime.sparse.measured.contributions import Contributions

COLUMNS = ("layer", "ratio", "contribution")
BIAS = 0.0
"""Ratio that stands for the bias of a layer."""


def read_contributions(
    path: Path, layers: Sequence[TrainableLayer], ratios: Sequence[float]
) -> Contributions:
    """Read contributions in the user's own unit.

    Parameters
    ----------
    path
        A CSV file with the columns ``layer``, ``ratio`` and ``contribution``. Ratio 0 is the bias of the
        layer. What is missing brings nothing.
    layers
        All trainable layers, from input to output.
    ratios
        Shares of the channels that are offered.

    Raises
    ------
    UsageError
        When the file cannot be read, or a row does not fit; the first such row is told.
    """
    names = [layer.name for layer in layers]
    weights = {name: dict.fromkeys(ratios, 0.0) for name in names}
    biases = dict.fromkeys(names, 0.0)
    seen: set[tuple[str, float]] = set()
    for line, row in _rows(path):
        place = f"{path}:{line}"
        name, ratio, value = _name(row, names, place), _ratio(row, ratios, place), _value(row, place)
        if (name, ratio) in seen:
            raise UsageError(f"{place}: {name},{ratio:g}: stands earlier already; keep one of them")
        seen.add((name, ratio))
        if ratio == BIAS:
            biases[name] = value
        else:
            weights[name][ratio] = value
    depths = (0.0, *accumulate(biases[name] for name in reversed(names)))
    return Contributions(weights, depths, {"by": path.name, "meaning": "figures of this file, as they are"})


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str | None]]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise UsageError(
                    f"{path}:1: {','.join(reader.fieldnames or ())}: must name the columns "
                    f"{', '.join(COLUMNS)}; add {', '.join(missing)}"
                )
            yield from ((reader.line_num, row) for row in reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{path}: cannot be read: {reason}; name a readable CSV file") from None


def _name(row: dict[str, str | None], names: Sequence[str], place: str) -> str:
    name = row["layer"] or ""
    if name not in names:
        known = f"{names[0]} ... {names[-1]}" if len(names) > 1 else names[0]
        raise UsageError(f"{place}: {name!r}: must be a layer's name, {known}; correct it")
    return name


def _ratio(row: dict[str, str | None], ratios: Sequence[float], place: str) -> float:
    offered = (BIAS, *ratios)
    try:
        ratio = float(row["ratio"] or "")
    except ValueError:
        ratio = math.nan
    if ratio not in offered:
        known = ", ".join(f"{ratio:g}" for ratio in offered)
        raise UsageError(
            f"{place}: {row['ratio']!r}: must be one of the ratios {known}, 0 for the bias; correct it, or "
            "offer that ratio"
        )
    return ratio


def _value(row: dict[str, str | None], place: str) -> float:
    told = row["contribution"]
    try:
        value = float(told or "")
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise UsageError(f"{place}: {told!r}: must be a number of at least 0; take 0 for what brings nothing")
    return value
