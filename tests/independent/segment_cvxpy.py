"""The inner programme as the specification states it to CVXPY: the judge of record."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from math import exp, log

import cvxpy as cp
import numpy as np
from numpy.typing import NDArray

from independent.segment_evaluator import Document, Queues
from independent.segment_programme import LOG_LN2, Part, SlotProgramme

NODES, WEIGHTS = np.polynomial.legendre.leggauss(24)
# in units of the objective; short of 1e-9 Clarabel fails
TOLERANCES = dict.fromkeys(("tol_gap_abs", "tol_gap_rel", "tol_feas"), 1e-11) | {
    f"reduced_tol_{name}": 1e-9 for name in ("gap_abs", "gap_rel", "feas")
}
SCALES = (1.0, 10.0, 0.1, 3.0, 0.3, 100.0, 0.01)


def judge(slot: SlotProgramme, parts: Sequence[Part]) -> float:
    """Return the least objective of a slot with these structures, to 1e-8 or better."""
    fixed, money = slot.fixed_cost(parts), _plain_cost(slot, parts)
    for _ in range(5):
        value = _solved(slot, parts, money)
        if value > money / 4:
            break
        money = value  # the tolerances were too coarse for so little
    return fixed + value


def _solved(slot: SlotProgramme, parts: Sequence[Part], money: float) -> float:
    for scale in SCALES:
        try:
            return money * scale * _solved_in(slot, parts, money * scale)
        except cp.SolverError:
            continue
    raise ArithmeticError("no scale of the programme suits Clarabel")


def _solved_in(slot: SlotProgramme, parts: Sequence[Part], money: float) -> float:
    """Return the time and energy at best, in units of `money`."""
    links = [link for part in parts for link in part.links]
    owner, uplink = _owners(parts)
    hertz = np.where(uplink, slot.uplink_hz, np.array(slot.d2d_hz)[owner])
    unit = money / slot.tradeoff
    # x and y less the logs of an equal share of the band, and of a bit per second and hertz on it
    share = np.log(hertz / max(1, len(links)))
    x, y, growth = (cp.Variable(max(1, len(links))) for _ in range(3))
    rules, seconds, cost = [], cp.Variable(), 0.0
    for k, link in enumerate(links):
        u = cp.exp(LOG_LN2 - x[k] - y[k])
        rules.append(growth[k] >= cp.log_sum_exp(np.log(WEIGHTS / 2) + (NODES + 1) / 2 * u))
        rules.append(growth[k] - y[k] + share[k] <= link.log_cap)  # p_j <= max_power_w
        if link.cost > 0:
            cost += cp.exp(growth[k] + log(link.cost / money))
    bands = [*((owner == n) & ~uplink for n in range(len(parts))), uplink]
    rules += [cp.sum(cp.exp(x[band] - log(len(links)))) <= 1 for band in bands if band.any()]
    for n, part in enumerate(parts):
        bottleneck = cp.Variable()
        rules.append(bottleneck >= part.slowest_s / unit)
        total = part.base_s / unit + part.repeats * bottleneck
        for k in np.flatnonzero(owner == n):
            total += cp.exp(y[k] + log(links[k].delay_bits / unit) - share[k])
            if links[k].repeated_bits:
                rules.append(bottleneck >= cp.exp(y[k] + log(links[k].repeated_bits / unit) - share[k]))
        rules.append(seconds >= total)
    problem = cp.Problem(cp.Minimize(seconds + cost), rules)
    assert problem.is_dcp()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that 1e-11 was not reached, but 1e-9 was
        problem.solve(solver=cp.CLARABEL, max_iter=500, **TOLERANCES)
    assert problem.status in {cp.OPTIMAL, cp.OPTIMAL_INACCURATE}, problem.status
    return float(problem.value)


def _owners(parts: Sequence[Part]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Of every link, the place of its cluster, and whether it is an uplink."""
    places = [(n, place) for n, part in enumerate(parts) for place in range(len(part.links))]
    last = [parts[n].uplink and place == len(parts[n].links) - 1 for n, place in places]
    return np.array([n for n, _ in places], dtype=int), np.array(last, dtype=bool)


def _plain_cost(slot: SlotProgramme, parts: Sequence[Part]) -> float:
    """Return the time and energy at equal shares of the bands and half the powers, to scale by."""
    owner, uplink = _owners(parts)
    hertz = np.where(uplink, slot.uplink_hz, np.array(slot.d2d_hz)[owner]) / max(1, len(owner))
    latency, cost, bands = 0.0, 0.0, iter(hertz)
    for part in parts:
        seconds, bottleneck = part.base_s, part.slowest_s
        for link in part.links:
            band = next(bands)
            u = np.log1p(exp(link.log_cap) * log(2) / band / 2)
            seconds += link.delay_bits * log(2) / (band * u)
            bottleneck = max(bottleneck, link.repeated_bits * log(2) / (band * u))
            cost += link.cost * np.expm1(u) / u
        latency = max(latency, seconds + part.repeats * bottleneck)
    return slot.tradeoff * latency + cost


def judged_optimum(document: Document, slot: int = 0, queues: Queues | None = None) -> float | None:
    """Return the optimum of a tiny slot, every combination of structures judged; some 40 ms for each."""
    programme = SlotProgramme(document, slot, queues)
    return min((judge(programme, parts) for parts in itertools.product(*programme.parts)), default=None)
