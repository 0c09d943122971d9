"""Figures in the units that people read: GiB, Mbit/s, ms."""

from __future__ import annotations

UNKNOWN = "–"

_BYTE_STEPS = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, "B"))
_SECOND_STEPS = ((3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
_SECONDS_FROM = (7200.0, 300.0, 1.0, 1e-3, 0.0)
_DECIMAL_STEPS = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))


def three_digits(value: float) -> str:
    """Write a figure with about three digits, never with an exponent below a million.

    Examples
    --------
    >>> three_digits(1234.5), three_digits(12.345), three_digits(0.5), three_digits(0)
    ('1,234', '12.3', '0.5', '0')
    """
    if abs(value) >= 1e6:
        return f"{value:.3g}"
    return f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:.3g}"


def byte_scale(largest: float) -> tuple[float, str]:
    """Choose the unit in which `largest` bytes read well: its size in bytes and its name.

    Examples
    --------
    >>> byte_scale(5e6)
    (1048576, 'MiB')
    """
    return next(((size, unit) for size, unit in _BYTE_STEPS if largest >= size), (1, "B"))


def second_scale(largest: float) -> tuple[float, str]:
    """Choose the unit in which `largest` seconds read well: its length in seconds and its name.

    Examples
    --------
    >>> second_scale(0.02), second_scale(90.0)
    ((0.001, 'ms'), (1.0, 's'))
    """
    if largest <= 0:
        return 1.0, "s"
    return next(step for step, low in zip(_SECOND_STEPS, _SECONDS_FROM, strict=True) if largest >= low)


def bytes_text(num_bytes: float | None) -> str:
    """Write a number of bytes.

    Examples
    --------
    >>> bytes_text(3 * 2**29), bytes_text(None)
    ('1.5 GiB', '–')
    """
    if num_bytes is None:
        return UNKNOWN
    size, unit = byte_scale(num_bytes)
    return f"{three_digits(num_bytes / size)} {unit}"


def seconds_text(seconds: float | None) -> str:
    """Write a duration.

    Examples
    --------
    >>> seconds_text(0.0123), seconds_text(12.5), seconds_text(9000.0)
    ('12.3 ms', '12.5 s', '2.5 h')
    """
    if seconds is None:
        return UNKNOWN
    length, unit = second_scale(seconds)
    return f"{three_digits(seconds / length)} {unit}"


def decimal_scale(largest: float) -> tuple[float, str]:
    """Choose the decimal prefix in which `largest` reads well: its size and its letter.

    Examples
    --------
    >>> decimal_scale(2.4e11)
    (1000000000.0, 'G')
    """
    return next((step for step in _DECIMAL_STEPS if abs(largest) >= step[0]), (1.0, ""))


def decimal_text(value: float | None, unit: str = "") -> str:
    """Write a figure with a decimal prefix.

    Examples
    --------
    >>> decimal_text(2e11, "FLOP/s"), decimal_text(25, "FLOP")
    ('200 GFLOP/s', '25 FLOP')
    """
    if value is None:
        return UNKNOWN
    size, prefix = decimal_scale(value)
    return f"{three_digits(value / size)} {prefix}{unit}".rstrip()


def rate_text(bit_per_s: float | None) -> str:
    """Write a rate; None is no limit."""
    return "unlimited" if bit_per_s is None or bit_per_s == float("inf") else decimal_text(bit_per_s, "bit/s")


def percent_text(share: float | None) -> str:
    """Write a share of 1 in per cent.

    Examples
    --------
    >>> percent_text(0.9467), percent_text(0.0), percent_text(1e-9)
    ('94.7 %', '0 %', '1e-07 %')
    """
    return UNKNOWN if share is None else f"{100 * share:.3g} %"


def ratio_of(measured: float | None, predicted: float | None) -> float | None:
    """Divide what was measured by what was predicted; None where that says nothing."""
    return None if measured is None or not predicted else measured / predicted


def ratio_text(ratio: float | None) -> str:
    """Write a ratio.

    Examples
    --------
    >>> ratio_text(1.04), ratio_text(None)
    ('1.04×', '–')
    """
    return UNKNOWN if ratio is None else f"{ratio:.3g}×" if ratio < 0.9995 else f"{ratio:.2f}×"


def range_text(low: str, high: str) -> str:
    """Write two texts as a range, or once where they agree."""
    return low if low == high else f"{low} – {high}"


def shortened(text: str, limit: int) -> str:
    """Cut a name in the middle, where names of a family differ least.

    Examples
    --------
    >>> shortened("raspberry-pi-kitchen-07", 15)
    'raspber…chen-07'
    """
    if len(text) <= limit:
        return text
    head = limit // 2
    return f"{text[:head]}…{text[len(text) - (limit - head - 1) :]}"


def counted(number: int, thing: str) -> str:
    """Write how many there are of a thing.

    Examples
    --------
    >>> counted(1, "stage"), counted(1200, "stage")
    ('1 stage', '1,200 stages')
    """
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def run_text(names: tuple[str, ...]) -> str:
    """Name a run of layers by its ends.

    Examples
    --------
    >>> run_text(("conv1",)), run_text(("conv1", "relu", "conv2"))
    ('conv1', 'conv1 … conv2')
    """
    return "" if not names else names[0] if len(names) == 1 else f"{names[0]} … {names[-1]}"
