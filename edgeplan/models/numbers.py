"""Numbers as written, and limits with the tolerance that formats.md gives them."""

from __future__ import annotations

import math
from fractions import Fraction

LIMIT_TOLERANCE = 1e-9


def exactly(number: float) -> Fraction:
    """Return the decimal number that was written, not the nearest binary one.

    Examples
    --------
    >>> exactly(0.1) * 10 == 1
    True
    """
    return Fraction(repr(number))


def nearest_float(number: Fraction) -> float:
    """Return the nearest float, infinity beyond the largest."""
    try:
        return float(number)
    except OverflowError:
        return math.inf


def exceeds(value: float, limit: float) -> bool:
    """Say whether `value` breaks an upper limit given as a float.

    Examples
    --------
    >>> exceeds(10.0 + 1e-9, 10.0), exceeds(10.0 + 1e-7, 10.0)
    (False, True)
    """
    return value > limit + LIMIT_TOLERANCE * max(1.0, limit)
