"""Shannon links, equations (2) and (3), and the closed forms that solvers and tests share.

With u = D ln 2 / (w c), for D bits in c seconds over w Hz, the energy of the transfer is
``p c = (N0 D ln 2 / g) (e^u - 1) / u``.
"""

from __future__ import annotations

import math

_LEAST_NOISE_W = 1e-300


def rate_bit_per_s(bandwidth_hz: float, power_w: float, gain: float, noise_w_per_hz: float) -> float:
    """Rate of a link, infinite or zero only beyond what floats can tell.

    Examples
    --------
    >>> rate_bit_per_s(1.0, 3.0, 1.0, 1.0)
    2.0
    """
    noise_w = noise_w_per_hz * bandwidth_hz
    if noise_w < _LEAST_NOISE_W:  # the limit of a narrow band
        return power_w * gain / noise_w_per_hz / math.log(2.0)
    signal_to_noise = power_w * gain / noise_w
    return bandwidth_hz * math.log1p(signal_to_noise) / math.log(2.0)


def transfer_s(num_bits: float, rate: float) -> float:
    """Seconds that bits take; 0 bits take none, and a rate of 0 takes forever."""
    if num_bits == 0:
        return 0.0
    return num_bits / rate if rate > 0 else math.inf
