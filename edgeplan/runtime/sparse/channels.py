"""How many input channels a ratio stands for, the same on every device."""

from __future__ import annotations


def num_channels(ratio: float, in_channels: int) -> int:
    """Return the number of the most important channels that a ratio stands for.

    Parameters
    ----------
    ratio
        Share of the channels, 0 to 1; 0 is none of them, and anything above at least one.
    in_channels
        Input channels of the layer.

    Examples
    --------
    >>> [num_channels(ratio, 8) for ratio in (0.0, 0.01, 0.25, 1.0)]
    [0, 1, 2, 8]
    """
    return 0 if ratio == 0 else max(1, round(ratio * in_channels))
