"""Figures in sentences: GiB and seconds as people read them."""

from __future__ import annotations

import math

_BYTE_STEPS = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


def bytes_text(num_bytes: float) -> str:
    """Write a number of bytes; few of them, or any that a unit would round, as they are.

    Examples
    --------
    >>> bytes_text(3 * 2**29), bytes_text(240)
    ('1.5 GiB', '240 bytes')
    """
    for size, unit in _BYTE_STEPS:
        if abs(num_bytes) >= size:
            return f"{num_bytes / size:.4g} {unit}"
    return f"{num_bytes:.0f} bytes"


def figure_text(value: float, unit: str = "") -> str:
    """Write a figure with its unit.

    Examples
    --------
    >>> figure_text(18.73575, "s"), figure_text(3)
    ('18.74 s', '3')
    """
    text = (
        f"{value:,}" if isinstance(value, int) else f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
    )
    return f"{text} {unit}".rstrip()


def enough_text(value: float, unit: str = "") -> str:
    """Write a figure that is enough, rounded up to five digits so that what is written is enough too.

    Examples
    --------
    >>> enough_text(18.73575, "s"), enough_text(5)
    ('18.736 s', '5')
    """
    if isinstance(value, int) or value == 0 or not math.isfinite(value):
        return figure_text(value, unit)
    size = 10.0 ** (math.floor(math.log10(abs(value))) - 4)
    return f"{math.ceil(value / size) * size:.5g} {unit}".rstrip()


def compared_bytes(need: int, have: int) -> tuple[str, str]:
    """Write two numbers of bytes so that a difference shows.

    Examples
    --------
    >>> compared_bytes(20_000, 19_999), compared_bytes(2**31, 2**30)
    (('20,000 bytes', '19,999 bytes'), ('2 GiB', '1 GiB'))
    """
    texts = bytes_text(need), bytes_text(have)
    return texts if texts[0] != texts[1] or need == have else (f"{need:,} bytes", f"{have:,} bytes")


def percent_text(share: float) -> str:
    """Write a share of 1.

    Examples
    --------
    >>> percent_text(0.0641)
    '6.4 %'
    """
    return f"{100 * share:.2g} %" if abs(share) < 1 else f"{100 * share:,.0f} %"
