"""How exact links are: what a message and a stream get, beside what the instance says."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping
from typing import Any

from edgeplan.runtime.emulation.links import Shape

_REPEATS = 3
_LASTING_S = 0.2  # of a stream
_LEAST_BYTES, _MOST_BYTES = 1 << 12, 1 << 25

Transfer = Callable[[int], float]
"""Moves so many bytes from one process to another, and returns its seconds."""


def probe(transfer: Transfer, shape: Shape) -> dict[str, float]:
    """Measure latency and rate of a link; both its ends call this.

    Parameters
    ----------
    transfer
        Moves bytes over it.
    shape
        What it should be, from which follows how much is moved.

    Examples
    --------
    >>> link = Shape(0.5, 8e6)
    >>> {name: round(figure, 3) for name, figure in probe(link.transfer_s, link).items()}
    {'latency_s': 0.5, 'bit_per_s': 8000000.0}
    """
    num_bytes = int(min(max(_LASTING_S * shape.bit_per_s / 8, _LEAST_BYTES), _MOST_BYTES)) // 4 * 4
    latency_s = statistics.median(transfer(0) for _ in range(_REPEATS))
    lasted_s = statistics.median(transfer(num_bytes) for _ in range(_REPEATS))
    return {"latency_s": latency_s, "bit_per_s": 8 * num_bytes / max(lasted_s - latency_s, 1e-9)}


def exactness(shape: Shape, achieved: dict[str, float]) -> dict[str, float | None]:
    """Return what a link should be and what it is; a rate without limit is null, and so is its ratio."""
    rate = shape.bit_per_s if math.isfinite(shape.bit_per_s) else None
    return {
        "configured_latency_s": shape.latency_s,
        "achieved_latency_s": achieved["latency_s"],
        "configured_bit_per_s": rate,
        "achieved_bit_per_s": achieved["bit_per_s"],
        "rate_ratio": None if rate is None else achieved["bit_per_s"] / rate,
    }


def speed_entry(node: str, held: Mapping[str, Any]) -> dict[str, Any]:
    """Return a node's quota, and the seconds of a step that it should have and has.

    Parameters
    ----------
    node
        Its id.
    held
        What `Holding.to_document` returned, among other members.
    """
    wanted_s, step_s = held["wanted_s"], held["step_s"]
    return {
        "node": node,
        "share": held["share"],
        "configured_step_s": wanted_s,
        "achieved_step_s": step_s,
        "speed_ratio": wanted_s / step_s,
    }
