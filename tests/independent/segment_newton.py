"""A primal-dual Newton method for many inner programmes of one shape at a time, in plain numpy.

Boyd and Vandenberghe, Convex Optimization, section 11.7, from a strictly feasible start, which is always
at hand: part of the bands, part of the powers, time to spare. Bands and powers stay strictly within limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from independent.segment_programme import LOG_LN2, Array, Part, SlotProgramme

GAP, RESIDUAL, MOST_STEPS = 1e-11, 1e-9, 200


@dataclass(frozen=True)
class Solved:
    """For every programme: value - gap <= optimum <= value, its links' figures, its clusters' times."""

    value: Array
    gap: Array
    band_hz: Array
    power_w: Array
    cluster_s: Array
    uplink_hz: Array

    def one(self, index: int) -> Solved:
        """Return a single programme's."""
        part = slice(index, index + 1)
        return Solved(*(getattr(self, name)[part] for name in self.__dataclass_fields__))


class Batch:
    """Programmes whose clusters have equally many links each; `clusters` are their places in the instance.

    The time of a programme costs `tradeoff` a second, a hertz of the uplink `band_price` on top.
    """

    def __init__(
        self,
        slot: SlotProgramme,
        combinations: Sequence[Sequence[Part]],
        clusters: Sequence[int],
        tradeoff: float,
        band_price: float,
    ) -> None:
        first = combinations[0]
        self.tradeoff, self.band_price = tradeoff, band_price
        self.owner = np.array([k for k, part in enumerate(first) for _ in part.links], dtype=int)
        last = [
            part.uplink and place == len(part.links) - 1 for part in first for place in range(len(part.links))
        ]
        self.uplink = np.array(last, dtype=bool)
        self.fixed = np.array([slot.fixed_cost(parts) for parts in combinations])
        self.base, self.repeats, self.slowest = (
            np.array([[getattr(part, name) for part in parts] for parts in combinations], dtype=float)
            for name in ("base_s", "repeats", "slowest_s")
        )
        shape = (len(combinations), len(self.owner))
        self.delay, self.repeated, self.cost, self.log_cap, self.max_power = (
            np.array(
                [[getattr(link, name) for part in parts for link in part.links] for parts in combinations],
                dtype=float,
            ).reshape(shape)
            for name in ("delay_bits", "repeated_bits", "cost", "log_cap", "max_power_w")
        )
        self._add_bands(slot, clusters)
        self._add_time_rows(len(first))

    def _add_bands(self, slot: SlotProgramme, clusters: Sequence[int]) -> None:
        """One row for every band in use: which links share it."""
        rows = [((self.owner == k) & ~self.uplink, slot.d2d_hz[n]) for k, n in enumerate(clusters)]
        rows.append((self.uplink, slot.uplink_hz))
        used = [(row, hertz) for row, hertz in rows if row.any()]
        self.shares = np.array([row for row, _ in used], dtype=float).reshape(len(used), len(self.owner))
        self.hertz = np.array([hertz for _, hertz in used])
        self.limit = self.shares.T @ self.hertz  # of every link, the band it is part of

    def _add_time_rows(self, clusters: int) -> None:
        """T >= T_n, once for the slowest stage and once for every link as the bottleneck."""
        links = range(len(self.owner))
        self.row_owner = np.array([*range(clusters), *self.owner], dtype=int)
        self.delays = (self.row_owner[:, None] == self.owner[None, :]).astype(float)
        self.bottleneck = np.vstack([np.zeros((clusters, len(links))), np.eye(len(links))])
        rows = np.hstack([self.base + self.repeats * self.slowest, self.base[:, self.owner]])
        self.row_base = np.maximum(rows, 1e-12)  # the logarithm of no time at all

    def seconds_per(self, chosen: Array) -> Array:
        """Seconds in each time row for a second per bit of each link."""
        repeated = (self.repeats[:, self.owner] * self.repeated)[chosen]
        return self.delays * self.delay[chosen][:, None, :] + self.bottleneck * repeated[:, None, :]


def _growth(v: Array) -> tuple[Array, Array, Array]:
    """F(v) = log((e^u - 1)/u) with u = e^v, and its first two derivatives."""
    u = np.exp(v)
    rest = -np.expm1(-u)
    slope = u / rest
    return u + np.log(rest) - v, slope - 1, slope - slope**2 * np.exp(-u)


class _State:
    """Figures at a point: z = (log of T / unit, x - log of the band, y); times and bands in logs too."""

    def __init__(self, batch: Batch, chosen: Array, scale: tuple[Array, Array], z: Array) -> None:
        unit, money = (one[chosen] for one in scale)
        links = batch.delay.shape[1]
        self.x, self.y = z[:, 1 : 1 + links], z[:, 1 + links :]
        self.growth, self.slope, self.bend = _growth(LOG_LN2 - self.x - np.log(batch.limit) - self.y)
        self.joule_cost = batch.cost[chosen] / money[:, None] * np.exp(self.growth)
        self.second_cost = batch.tradeoff * unit / money * np.exp(z[:, 0])
        self.band_cost = batch.band_price * batch.limit * batch.uplink * np.exp(self.x) / money[:, None]
        self.objective = self.second_cost + self.joule_cost.sum(1) + self.band_cost.sum(1)
        waits = batch.seconds_per(chosen) * np.exp(self.y)[:, None, :]
        bands = batch.shares[None] * np.exp(self.x)[:, None, :]
        self.seconds = batch.row_base[chosen] + waits.sum(2)
        self.waits, self.bands = waits / self.seconds[:, :, None], bands / bands.sum(2)[:, :, None]
        time = np.log(self.seconds / unit[:, None]) - z[:, :1]
        power = self.growth - self.y - batch.log_cap[chosen]
        self.slack = -np.concatenate([time, np.log(bands.sum(2)), power], axis=1)
        self.rows = (time.shape[1], self.bands.shape[1])

    def gradient(self) -> Array:
        energy = -self.joule_cost * self.slope
        return np.concatenate([self.second_cost[:, None], energy + self.band_cost, energy], axis=1)

    def jacobian(self) -> Array:
        times, bands = self.rows
        size, links = self.x.shape
        result = np.zeros((size, times + bands + links, 1 + 2 * links))
        result[:, :times, 0] = -1
        result[:, :times, 1 + links :] = self.waits
        result[:, times : times + bands, 1 : 1 + links] = self.bands
        each = np.arange(links)
        result[:, times + bands + each, 1 + each] = -self.slope
        result[:, times + bands + each, 1 + links + each] = -self.slope - 1
        return result

    def hessian(self, dual: Array) -> Array:
        """Of the Lagrangian; x and y of a link meet in v only."""
        times, bands = self.rows
        size, links = self.x.shape
        meet = self.joule_cost * (self.slope**2 + self.bend) + dual[:, times + bands :] * self.bend
        result = np.zeros((size, 1 + 2 * links, 1 + 2 * links))
        first, x, y = 0, slice(1, 1 + links), slice(1 + links, None)
        result[:, first, first] = self.second_cost
        result[:, x, x] = _bend_of_log(self.bands, dual[:, times : times + bands])
        result[:, y, y] = _bend_of_log(self.waits, dual[:, :times])
        each = np.arange(links)
        result[:, 1 + each, 1 + each] += meet + self.band_cost
        result[:, 1 + links + each, 1 + links + each] += meet
        result[:, 1 + each, 1 + links + each] = result[:, 1 + links + each, 1 + each] = meet
        return result


def _bend_of_log(shares: Array, dual: Array) -> Array:
    """Second derivatives of sum of dual * log(sum of exponentials), given the shares in each sum."""
    on = np.einsum("sr,srl->sl", dual, shares)
    across = np.einsum("sr,srl,srk->slk", dual, shares, shares)
    return on[:, :, None] * np.eye(shares.shape[2]) - across


def solve(batch: Batch) -> Solved:
    """Solve all programmes of a batch to a relative gap of 1e-11, or say so."""
    everything = np.arange(len(batch.fixed))
    z, scale = _start(batch)
    state = _State(batch, everything, scale, z)
    # the first gap is about that of the start's objective, which is 1
    dual = 1 / state.slack / state.slack.shape[1]
    active = everything
    for _ in range(MOST_STEPS):
        state = _State(batch, active, scale, z[active])
        gap = (state.slack * dual[active]).sum(1)
        residual = state.gradient() + np.einsum("scv,sc->sv", state.jacobian(), dual[active])
        done = (gap <= GAP * state.objective) & (np.abs(residual).max(1) <= RESIDUAL * state.objective)
        if done.all():
            return _finish(batch, scale, z, dual)
        active = active[~done]
        _step(batch, active, scale, z, dual)
    raise ArithmeticError(f"{len(active)} of {len(everything)} programmes did not converge")


def _start(batch: Batch) -> tuple[Array, tuple[Array, Array]]:
    size = len(batch.fixed)
    sharing = batch.shares.T @ batch.shares.sum(1)
    x = np.tile(-np.log(2 * sharing), (size, 1))
    # p = (N0 w / g) (e^u - 1) at half the cap, where log_cap is log(p g / (N0 ln 2))
    u = np.log1p(np.exp(batch.log_cap + LOG_LN2 - x - np.log(batch.limit)) / 2)
    y = LOG_LN2 - x - np.log(batch.limit) - np.log(u)
    z = np.concatenate([np.zeros((size, 1)), x, y], axis=1)
    ones = np.ones(size)
    free = _State(batch, np.arange(size), (ones, ones), z)
    unit = 2 * free.seconds.max(1)
    money = batch.tradeoff * unit + free.joule_cost.sum(1) + free.band_cost.sum(1)
    return z, (unit, money)


def _step(batch: Batch, active: Array, scale: tuple[Array, Array], z: Array, dual: Array) -> None:
    """Move every active programme by one damped Newton step; z and dual are changed."""
    here, prices = z[active], dual[active]
    state = _State(batch, active, scale, here)
    jacobian, gradient, slack = state.jacobian(), state.gradient(), state.slack
    gap = (slack * prices).sum(1, keepdims=True)
    residual = np.abs(gradient + np.einsum("scv,sc->sv", jacobian, prices)).max(1, keepdims=True)
    # slacks that vanish before the gradient does would block every further move
    target = np.clip(residual, gap / 10, gap * 10) / slack.shape[1]
    weighted = (prices / slack)[:, :, None] * jacobian
    matrix = state.hessian(prices) + np.einsum("scv,scw->svw", jacobian, weighted)
    right = -gradient - np.einsum("scv,sc->sv", jacobian, target / slack)
    move = np.linalg.solve(matrix, right[:, :, None])[:, :, 0]
    turn = target / slack - prices + np.einsum("scv,sv->sc", weighted, move)
    norm = _norm(state, gradient, jacobian, prices, target)
    with np.errstate(divide="ignore", invalid="ignore"):
        longest = np.where(turn < 0, -prices / turn, np.inf).min(1)
    step = np.minimum(1.0, 0.99 * longest)
    # a move of more than a few in the logs says nothing
    step = np.minimum(step, 4.0 / np.maximum(1e-300, np.abs(move[:, 1:]).max(1, initial=0.0)))
    waiting = np.arange(len(active))
    for _ in range(60):
        there = here[waiting] + step[waiting, None] * move[waiting]
        then = prices[waiting] + step[waiting, None] * turn[waiting]
        new = _State(batch, active[waiting], scale, there)
        inside = (new.slack > 0).all(1)
        with np.errstate(invalid="ignore", over="ignore"):
            size = _norm(new, new.gradient(), new.jacobian(), then, target[waiting])
        good = inside & (size <= (1 - 0.01 * step[waiting]) * norm[waiting] + 1e-14)
        z[active[waiting[good]]], dual[active[waiting[good]]] = there[good], then[good]
        waiting = waiting[~good]
        if not len(waiting):
            return
        step[waiting] /= 2


def _norm(state: _State, gradient: Array, jacobian: Array, dual: Array, target: Array) -> Array:
    stationary = gradient + np.einsum("scv,sc->sv", jacobian, dual)
    return np.sqrt((stationary**2).sum(1) + ((state.slack * dual - target) ** 2).sum(1))


def _finish(batch: Batch, scale: tuple[Array, Array], z: Array, dual: Array) -> Solved:
    money = scale[1]
    everything = np.arange(len(batch.fixed))
    state = _State(batch, everything, scale, z)
    owners = batch.row_owner[:, None] == np.arange(batch.base.shape[1])[None, :]
    lateness = state.seconds[:, :, None] + np.where(owners, 0, -np.inf)
    return Solved(
        state.objective * money + batch.fixed,
        (state.slack * dual).sum(1) * money,
        np.exp(state.x) * batch.limit,
        np.exp(state.growth - state.y - batch.log_cap) * batch.max_power,
        lateness.max(1),
        (np.exp(state.x) * batch.limit * batch.uplink).sum(1),
    )
