"""The kernel's links: closed forms of the specification, and what minimisation by scipy finds."""

from __future__ import annotations

import ctypes
import math
import random
from dataclasses import dataclass

import pytest
from scipy.optimize import minimize_scalar
from scipy.special import lambertw
from tier import chunks

from edgeplan.models.segment_scheduling.link import rate_bit_per_s
from edgeplan.solvers.segment_scheduling.kernel.library import Link, LinkChoice, kernel

THERMAL_W_PER_HZ = 10 ** ((-174 - 30) / 10)
NEVER = math.inf


@dataclass(frozen=True)
class Transfer:
    """Bits over a link, and prices of a second, a joule and a hertz."""

    bits: float
    gain: float
    max_power_w: float
    noise_w_per_hz: float = THERMAL_W_PER_HZ
    second: float = 1.0
    joule: float = 1.0
    hertz: float = 1.0

    @property
    def link(self) -> Link:
        nats = self.bits * math.log(2)
        return Link(nats, self.noise_w_per_hz * nats / self.gain, self.max_power_w)

    def best_link(self, cap_s: float = NEVER) -> LinkChoice:
        found: LinkChoice = kernel().best_link(
            ctypes.byref(self.link), self.second, self.joule, self.hertz, cap_s
        )
        return found

    def best_power(self, band_hz: float, cap_s: float = NEVER) -> LinkChoice:
        found: LinkChoice = kernel().best_power(
            ctypes.byref(self.link), self.second, self.joule, band_hz, cap_s
        )
        return found

    def power_w(self, seconds: float, band_hz: float) -> float:
        """Power that moves the bits in this time over this band."""
        u = self.bits * math.log(2) / (seconds * band_hz)
        return self.noise_w_per_hz * band_hz / self.gain * math.expm1(u) if u < 700 else math.inf

    def fastest_s(self, band_hz: float) -> float:
        return self.bits / rate_bit_per_s(band_hz, self.max_power_w, self.gain, self.noise_w_per_hz)

    def cost(self, seconds: float, band_hz: float) -> float:
        energy_j = self.power_w(seconds, band_hz) * seconds
        return self.second * seconds + self.joule * energy_j + self.hertz * band_hz

    def least_on(self, band_hz: float, cap_s: float) -> float:
        """Least cost on a band, by trying seconds; infinite where none is short enough."""
        fastest = self.fastest_s(band_hz)
        if fastest > cap_s:
            return math.inf
        slowest = min(cap_s, fastest * 1e4)
        return least(lambda log_s: self.cost(math.exp(log_s), band_hz), math.log(fastest), math.log(slowest))


def least(cost: object, low: float, high: float) -> float:
    """Least value of a function of one minimum, between and at both ends."""
    assert callable(cost)
    ends = [cost(low), cost(high)]
    if high - low < 1e-13:
        return float(min(ends))
    return float(
        min(*ends, minimize_scalar(cost, bounds=(low, high), method="bounded", options={"xatol": 1e-11}).fun)
    )


def drawn(seed: int) -> Transfer:
    rng = random.Random(f"segment link {seed}")

    def around(middle: float, factor: float) -> float:
        return middle * factor ** rng.uniform(-1, 1)

    return Transfer(
        bits=around(1e7, 100.0),
        gain=around(1e-10, 100.0),
        max_power_w=around(0.2, 10.0),
        noise_w_per_hz=around(4e-21, 3.0),
        second=around(1.0, 100.0),
        joule=rng.choice([0.0, around(1.0, 1000.0)]),
        hertz=around(1e-6, 1000.0),
    )


def test_the_power_of_one_link_is_the_closed_form_of_the_specification() -> None:
    """V = 3 on delay, Q = 0.7 on energy, gamma = g / (N0 w) = 50 give 1.3132002."""
    link = Transfer(bits=1.0, gain=50.0, max_power_w=1e6, noise_w_per_hz=1.0, second=3.0, joule=0.7)
    found = link.best_power(1.0)
    assert found.power_w == pytest.approx(1.3132002, abs=5e-8)
    closed = math.expm1(1 + lambertw((50 * 3 / 0.7 - 1) / math.e).real) / 50
    assert found.power_w == pytest.approx(closed, rel=1e-12)


def test_the_least_band_for_a_rate_is_the_closed_form_of_the_specification() -> None:
    """0.1 W, gain 1e-10, -174 dBm/Hz and 5 Mbit/s take 395,824.9 Hz."""
    dear = Transfer(bits=5e6, gain=1e-10, max_power_w=0.1, second=1e-9, joule=0.0, hertz=1.0)
    found = dear.best_link(cap_s=1.0)
    assert found.band_hz == pytest.approx(395_824.9, abs=0.05)
    assert (found.power_w, found.seconds) == (pytest.approx(0.1), pytest.approx(1.0))
    c = 5e6 * math.log(2) / (0.1 * 1e-10 / THERMAL_W_PER_HZ)
    y = -lambertw(-c * math.exp(-c), k=-1).real / c
    closed = 0.1 * 1e-10 / THERMAL_W_PER_HZ / (y - 1)
    assert found.band_hz == pytest.approx(closed, rel=1e-9)


def test_the_rate_on_that_band_is_the_one_asked_for() -> None:
    assert rate_bit_per_s(395_824.9, 0.1, 1e-10, THERMAL_W_PER_HZ) == pytest.approx(5e6, rel=1e-6)


def test_energy_that_costs_nothing_is_spent_to_the_cap() -> None:
    free = Transfer(bits=1e6, gain=1e-10, max_power_w=0.25, joule=0.0)
    assert free.best_power(1e6).power_w == pytest.approx(0.25, rel=1e-12)
    assert free.best_link().power_w == pytest.approx(0.25, rel=1e-9)


def test_a_link_without_power_or_band_carries_nothing() -> None:
    silent = Transfer(bits=1e6, gain=1e-10, max_power_w=0.0)
    assert silent.best_link().cost == silent.best_power(1e6).cost == math.inf
    assert Transfer(bits=1e6, gain=1e-10, max_power_w=1.0).best_power(0.0).cost == math.inf


@pytest.mark.parametrize("dear", [10.0**k for k in range(-9, 10)])
def test_links_are_exact_however_dear_energy_is(dear: float) -> None:
    """u of the closed form from far below 1e-3, where its terms all but cancel, to some tens."""
    link = Transfer(bits=1.0, gain=50.0, max_power_w=1e30, noise_w_per_hz=1.0, second=3.0 * dear, joule=0.7)
    closed = (1 + lambertw((50 * link.second / 0.7 - 1) / math.e)).real
    if closed > 0.1:  # else the reference cancels too
        assert math.log1p(50 * link.best_power(1.0).power_w) == pytest.approx(closed, rel=1e-9)
    found = link.best_power(1.0)
    assert found.seconds * math.log1p(50 * found.power_w) == pytest.approx(math.log(2), rel=1e-9)
    around = [link.cost(found.seconds * factor, 1.0) for factor in (0.99, 1.01)]
    assert found.cost + link.hertz < min(around)


@pytest.mark.parametrize("seeds", chunks(100, commit=200, large=20_000), ids=str)
def test_the_best_power_on_a_band_is_what_scipy_finds(seeds: range) -> None:
    for seed in seeds:
        transfer, rng = drawn(seed), random.Random(seed)
        band_hz = 10 ** rng.uniform(4, 8)
        cap_s = rng.choice([math.inf, transfer.fastest_s(band_hz) * rng.uniform(0.5, 4)])
        found, wanted = transfer.best_power(band_hz, cap_s), transfer.least_on(band_hz, cap_s)
        if wanted == math.inf:
            assert found.cost == math.inf, seed
            continue
        assert math.isclose(found.cost + transfer.hertz * band_hz, wanted, rel_tol=1e-9), seed
        assert found.seconds <= cap_s * (1 + 1e-12), seed
        assert found.power_w <= transfer.max_power_w * (1 + 1e-12), seed
        power_w = transfer.power_w(found.seconds, band_hz)
        assert math.isclose(found.power_w, power_w, rel_tol=1e-9), seed


@pytest.mark.parametrize("seeds", chunks(20, commit=60, large=3_000), ids=str)
def test_the_best_link_is_what_scipy_finds(seeds: range) -> None:
    for seed in seeds:
        transfer, rng = drawn(seed), random.Random(seed)
        free_s = transfer.best_link().seconds
        cap_s = rng.choice([math.inf, free_s * 10 ** rng.uniform(-2, 0.3)])
        found = transfer.best_link(cap_s)
        if found.cost == math.inf:  # no band is wide enough
            assert transfer.fastest_s(1e30) > cap_s * (1 - 1e-6), seed
            continue
        assert found.seconds <= cap_s * (1 + 1e-12), seed
        assert found.power_w <= transfer.max_power_w * (1 + 1e-9), seed
        power_w = transfer.power_w(found.seconds, found.band_hz)
        assert math.isclose(found.power_w, power_w, rel_tol=1e-9), seed
        assert math.isclose(found.cost, transfer.cost(found.seconds, found.band_hz), rel_tol=1e-9), seed

        # the cost is convex in the logarithms, so a better band would show on one side or the other
        middle = math.log(found.band_hz)
        steps = (0.0, *(sign * size for sign in (-1, 1) for size in (1e-4, 1e-3, 0.01, 0.1, 1.0, 4.0)))
        wanted = min(transfer.least_on(math.exp(middle + step), cap_s) for step in steps)
        assert found.cost <= wanted * (1 + 1e-9), seed
