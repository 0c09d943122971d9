"""The convex programme of fixed structures as one states it to CVXPY, solved by Clarabel.

In x = log w and y = log c of every transfer, u = exp(v) with v = log(D ln 2) - x - y, and

    log((e^u - 1) / u) = log sum_i exp(log a_i + s_i u)

with s_i and a_i the nodes and weights of Gauss and Legendre on [0, 1], energies, powers, times and bands are
convex. All figures are in units of the decision at full power and equal bands, without which Clarabel often
fails. Everything of a slot is a parameter: the programme of one shape (stages of each cluster) is
compiled once and serves all slots, structures and numbers of micro-batches of that shape.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeplan.extras import require
from edgeplan.models.segment_scheduling import Gains, SegmentScheduling
from edgeplan.models.segment_scheduling.instance import Cluster
from edgeplan.solvers.segment_scheduling.slot_arrays import Prices, Structure

Floats = NDArray[np.float64]
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)
NODES, LOG_WEIGHTS = (_NODES + 1) / 2, np.log(_WEIGHTS / 2)


@dataclass(frozen=True)
class Transfer:
    """A hop or an upload: bits, how often its seconds count in T_n, their share against the bottleneck."""

    bits: float
    weight: float
    share: float
    joule_price: float
    joules: float  # N0 D ln 2 / g
    max_power_w: float
    band_hz: float  # of all that share it


@dataclass(frozen=True)
class Figures:
    """What a cluster's structure takes without its transfers, and the transfers, the upload last."""

    fixed_s: float
    busiest_s: float
    repeats: int
    cost: float
    transfers: tuple[Transfer, ...]


def figures(
    problem: SegmentScheduling, n: int, structure: Structure, prices: Prices, gains: Gains
) -> Figures:
    """Return equations (1) to (5) of a structure, but for what bands and powers decide.

    Bits must flow over every hop and uplink.
    """
    segments, cluster = problem.segments, problem.instance.clusters[n]
    m, starts = structure.micro_batches, (0, *structure.ends[:-1])
    runs = list(zip(structure.devices, starts, structure.ends, strict=True))
    compute_s = [segments.compute_s(cluster.devices[i], a, b - 1) for i, a, b in runs]
    joules = [
        cluster.devices[i].compute_power_w * seconds
        for (i, _, _), seconds in zip(runs, compute_s, strict=True)
    ]
    spent = zip(structure.devices, joules, strict=True)
    hops = [
        _hop(problem, cluster, device, segments.hop_bits(end - 1), m, prices, gains)
        for device, _, end in runs[:-1]
    ]
    return Figures(
        fixed_s=cluster.embedding_s + cluster.decoder_s * m + sum(compute_s),
        busiest_s=max(compute_s),
        repeats=m - 1,
        cost=m * sum(prices.joule[cluster.devices[i].id] * spent_j for i, spent_j in spent),
        transfers=(*hops, _upload(problem, cluster, m, prices, gains)),
    )


def _hop(
    problem: SegmentScheduling,
    cluster: Cluster,
    index: int,
    bits: float,
    micro_batches: int,
    prices: Prices,
    gains: Gains,
) -> Transfer:
    device = cluster.devices[index]
    joules = problem.instance.noise_w_per_hz * bits * np.log(2) / gains.d2d[device.id]
    price = micro_batches * prices.joule[device.id]
    return Transfer(bits, 1.0, 1.0, price, joules, device.max_power_w, cluster.d2d_bandwidth_hz)


def _upload(
    problem: SegmentScheduling, cluster: Cluster, micro_batches: int, prices: Prices, gains: Gains
) -> Transfer:
    segments, instance = problem.segments, problem.instance
    last = segments.hop_bits(segments.num_blocks - 1)
    bits = micro_batches * last + segments.upload_bits
    joules = instance.noise_w_per_hz * bits * np.log(2) / gains.uplink[cluster.id]
    return Transfer(
        bits=bits,
        weight=(last + segments.upload_bits) / bits,
        share=last / bits,
        joule_price=prices.joule[cluster.id],
        joules=joules,
        max_power_w=cluster.uplink_max_power_w,
        band_hz=instance.uplink_bandwidth_hz,
    )


@dataclass(frozen=True)
class Solution:
    """The least objective, and the seconds that Clarabel alone took."""

    objective: float
    solver_s: float


class ConvexProgramme:
    """The programme of one shape.

    Parameters
    ----------
    stages
        Number of stages of every cluster.

    Raises
    ------
    MissingExtraError
        When CVXPY is not installed.
    """

    def __init__(self, stages: Sequence[int]) -> None:
        cp: Any = require("cvxpy", purpose="the plain formulation")
        self._cp = cp
        owner = np.repeat(np.arange(len(stages)), stages)
        links, clusters = len(owner), len(stages)
        is_last = np.append(owner[1:] != owner[:-1], True)
        self._band_of = np.where(is_last, clusters, owner)
        self._own = {
            name: cp.Parameter(links, nonneg=True) for name in ("weight", "share", "cost", "band_share")
        } | {name: cp.Parameter(links) for name in ("log_u", "log_growth")}
        self._of_cluster = {
            name: cp.Parameter(clusters, nonneg=True) for name in ("fixed", "busiest", "repeats")
        }
        self._problem = self._stated(owner, links, clusters)

    def _stated(self, owner: NDArray[np.int_], links: int, clusters: int) -> Any:
        cp, own, of = self._cp, self._own, self._of_cluster
        x, y, growth, slowest, latency = (
            cp.Variable(links),
            cp.Variable(links),
            cp.Variable(links),
            cp.Variable(clusters),
            cp.Variable(),
        )
        u = cp.exp(own["log_u"] - x - y)
        terms = (
            np.ones((links, 1)) @ LOG_WEIGHTS[None, :] + cp.reshape(u, (links, 1), order="C") @ NODES[None, :]
        )
        seconds, sums = cp.exp(y), np.eye(clusters)[:, owner]
        bands = np.eye(clusters + 1)[:, self._band_of]
        bands = bands[bands.any(axis=1)]
        rules = [
            growth + own["log_growth"] >= cp.log_sum_exp(terms, axis=1),
            growth <= y,  # full power
            bands @ cp.multiply(own["band_share"], cp.exp(x)) <= 1,
            slowest >= of["busiest"],
            slowest[owner] >= cp.multiply(own["share"], seconds),
            latency
            >= of["fixed"] + sums @ cp.multiply(own["weight"], seconds) + cp.multiply(of["repeats"], slowest),
        ]
        return cp.Problem(cp.Minimize(latency + cp.sum(cp.multiply(own["cost"], cp.exp(growth)))), rules)

    def solve(self, prices: Prices, of_clusters: Sequence[Figures], noise_cost: float) -> Solution | None:
        """Solve for the figures of every cluster; None where Clarabel misses its own tolerances."""
        unit_s = self._set(prices, of_clusters)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # an inaccurate end, refused below
            try:
                self._problem.solve(solver=self._cp.CLARABEL)
            except self._cp.SolverError:
                return None
        if self._problem.status != self._cp.OPTIMAL:
            return None
        fixed = sum(entry.cost for entry in of_clusters) + noise_cost
        objective = prices.second * unit_s * float(self._problem.value) + fixed
        return Solution(objective, float(self._problem.solver_stats.solve_time))

    def _set(self, prices: Prices, of_clusters: Sequence[Figures]) -> float:
        """Set all parameters and return the unit of time, the latency at full power and equal bands."""
        transfers = [one for entry in of_clusters for one in entry.transfers]
        shared = np.bincount(self._band_of)[self._band_of]
        nats, band, joules, power, price, weight, share = (
            np.array(column, dtype=float)
            for column in zip(
                *(
                    (x.bits * np.log(2), x.band_hz, x.joules, x.max_power_w, x.joule_price, x.weight, x.share)
                    for x in transfers
                ),
                strict=True,
            )
        )
        plain_u = np.log1p(power * nats * shared / (band * joules))
        plain_s = nats * shared / (band * plain_u)
        unit_s = _latency_s(of_clusters, plain_s)
        values = {
            "weight": weight * plain_s / unit_s,
            "share": share * plain_s / unit_s,
            "cost": price * power * plain_s / (prices.second * unit_s),
            "band_share": 1 / shared,
            "log_u": np.log(plain_u),
            "log_growth": np.log(power * plain_s / joules),
        }
        for name, value in values.items():
            self._own[name].value = value
        self._of_cluster["fixed"].value = np.array([entry.fixed_s / unit_s for entry in of_clusters])
        self._of_cluster["busiest"].value = np.array([entry.busiest_s / unit_s for entry in of_clusters])
        self._of_cluster["repeats"].value = np.array([float(entry.repeats) for entry in of_clusters])
        return unit_s


def _latency_s(of_clusters: Sequence[Figures], seconds: Floats) -> float:
    times, first = [], 0
    for entry in of_clusters:
        own = seconds[first : first + len(entry.transfers)]
        first += len(own)
        weights, shares = (
            np.array([getattr(x, name) for x in entry.transfers]) for name in ("weight", "share")
        )
        slowest = max(entry.busiest_s, float((shares * own).max()))
        times.append(entry.fixed_s + float(weights @ own) + entry.repeats * slowest)
    return max(times)
