"""Transfers that share a link, each with its fair part of it, equation (2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Flow:
    """A transfer on its way through a shared link.

    Parameters
    ----------
    enter_s
        When its first bit is there.
    num_bits
        How much it is.
    most_bit_per_s
        What the rest of its way lets through; infinite: anything.
    """

    enter_s: float
    num_bits: float
    most_bit_per_s: float


def fair_rates(most_bit_per_s: Sequence[float], capacity_bit_per_s: float) -> list[float]:
    """Divide a capacity: everyone has the same, but for those who can take only less.

    Examples
    --------
    >>> fair_rates([1.0, 10.0, 4.0], capacity_bit_per_s=9.0)
    [1.0, 4.0, 4.0]
    """
    if math.isinf(capacity_bit_per_s):
        return list(most_bit_per_s)
    rates, left = [0.0] * len(most_bit_per_s), capacity_bit_per_s
    by_rate = sorted(range(len(rates)), key=most_bit_per_s.__getitem__)
    for position, index in enumerate(by_rate):
        rates[index] = min(most_bit_per_s[index], left / (len(rates) - position))
        left -= rates[index]
    return rates


def finishes_s(flows: Sequence[Flow], capacity_bit_per_s: float) -> list[float]:
    """Return when the last bit of each transfer is through.

    Rates change only where a transfer enters or ends. What enters later changes nothing before.

    Examples
    --------
    >>> both = [Flow(0.0, 8.0, math.inf), Flow(2.0, 4.0, math.inf)]
    >>> finishes_s(both, capacity_bit_per_s=2.0)
    [6.0, 6.0]
    """
    ends = [flow.enter_s for flow in flows]
    left = {index: flow.num_bits for index, flow in enumerate(flows) if flow.num_bits > 0}
    now_s = min((flows[index].enter_s for index in left), default=0.0)
    while left:
        active = [index for index in left if flows[index].enter_s <= now_s]
        rates = fair_rates([flows[index].most_bit_per_s for index in active], capacity_bit_per_s)
        lasting_s = {index: left[index] / rate for index, rate in zip(active, rates, strict=True)}
        entering_s = min((flows[index].enter_s for index in left if index not in lasting_s), default=math.inf)
        shortest_s = min(lasting_s.values(), default=math.inf)
        step_s = min(shortest_s, entering_s - now_s)
        for index, rate in zip(active, rates, strict=True):
            if lasting_s[index] <= step_s:
                ends[index] = now_s + lasting_s[index]
                del left[index]
            else:
                left[index] -= rate * step_s
        now_s = now_s + shortest_s if shortest_s <= entering_s - now_s else entering_s
    return ends
