"""Epsilon: that of Opacus, above what the mechanism really gives away, and never falling with steps."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("opacus")

from opacus.accountants import PRVAccountant, RDPAccountant
from scipy.optimize import brentq
from scipy.stats import norm

from edgeplan.runtime.learning.privacy.accounting import ORDERS, Taken, epsilon_of
from edgeplan.runtime.learning.privacy.ledger import Ledger
from edgeplan.runtime.learning.privacy.mechanism import Privacy


@pytest.mark.filterwarnings("ignore:Optimal order is the largest:UserWarning")
@pytest.mark.parametrize("noise", [0.6, 1.0, 3.0])
@pytest.mark.parametrize("rate", [0.01, 0.2])
def test_epsilon_is_that_of_opacus_accountant_stepping_along(noise: float, rate: float) -> None:
    accountant = RDPAccountant()
    for _ in range(40):
        accountant.step(noise_multiplier=noise, sample_rate=rate)
    ours = epsilon_of(Privacy(noise, delta=1e-5), [Taken(40, rate)])
    assert ours == pytest.approx(accountant.get_epsilon(1e-5, alphas=list(ORDERS)), rel=1e-12)
    assert ours <= accountant.get_epsilon(1e-5)


def test_rounds_with_several_rates_are_composed() -> None:
    accountant = RDPAccountant()
    for rate, steps in ((0.1, 3), (0.5, 2), (0.1, 1)):
        for _ in range(steps):
            accountant.step(noise_multiplier=1.3, sample_rate=rate)
    ours = epsilon_of(Privacy(1.3), [Taken(3, 0.1), Taken(2, 0.5), Taken(1, 0.1)])
    assert ours == pytest.approx(accountant.get_epsilon(1e-5, alphas=list(ORDERS)), rel=1e-12)
    assert ours == pytest.approx(epsilon_of(Privacy(1.3), [Taken(4, 0.1), Taken(2, 0.5)]), rel=1e-12)


def _gaussian_epsilon(noise: float, steps: int, delta: float) -> float:
    """Smallest epsilon of the Gaussian mechanism, exactly (Balle and Wang, arXiv 1805.06530)."""
    shift = math.sqrt(steps) / noise

    def surplus(epsilon: float) -> float:
        low = norm.logcdf(-shift / 2 - epsilon / shift)
        return float(norm.cdf(shift / 2 - epsilon / shift) - math.exp(epsilon + low)) - delta

    return float(brentq(surplus, 0.0, 1000.0))


@pytest.mark.parametrize(("noise", "steps"), [(1.0, 1), (1.0, 30), (5.0, 30), (20.0, 3)])
def test_without_sampling_it_is_just_above_the_exact_figure(noise: float, steps: int) -> None:
    exact = _gaussian_epsilon(noise, steps, delta=1e-5)
    assert exact < epsilon_of(Privacy(noise), [Taken(steps, 1.0)]) < 1.2 * exact


def test_with_sampling_it_is_above_another_accountant_s_figure() -> None:
    other = PRVAccountant()
    for _ in range(60):
        other.step(noise_multiplier=1.0, sample_rate=0.1)
    tight = other.get_epsilon(1e-5, eps_error=0.05)
    assert tight - 0.1 < epsilon_of(Privacy(1.0), [Taken(60, 0.1)]) < 1.25 * tight


def test_more_steps_rates_and_less_noise_never_lower_it() -> None:
    by_steps = [epsilon_of(Privacy(1.0), [Taken(steps, 0.1)]) for steps in (0, 1, 2, 10, 100, 10_000)]
    by_rate = [epsilon_of(Privacy(1.0), [Taken(20, rate)]) for rate in (0.001, 0.01, 0.1, 0.5, 0.9, 1.0)]
    by_noise = [epsilon_of(Privacy(noise), [Taken(20, 0.1)]) for noise in (0.1, 0.3, 1.0, 3.0, 100.0)]
    assert by_steps == sorted(by_steps)
    assert by_rate == sorted(by_rate)
    assert by_noise == sorted(by_noise, reverse=True)
    assert all(math.isfinite(epsilon) for epsilon in (*by_steps, *by_rate, *by_noise))


@pytest.mark.parametrize("noise", [0.1, 1.0, 1000.0])
@pytest.mark.parametrize("rate", [1e-4, 0.3, 0.999, 1.0])
def test_it_is_a_finite_number_wherever_settings_may_go(noise: float, rate: float) -> None:
    assert 0.0 <= epsilon_of(Privacy(noise), [Taken(1000, rate)]) < math.inf


def test_no_steps_give_nothing_away() -> None:
    assert epsilon_of(Privacy(1.0), []) == epsilon_of(Privacy(1.0), [Taken(0, 0.1)]) == 0.0


def test_a_ledger_keeps_what_was_written_before_its_node_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "privacy-3.jsonl"
    Ledger(path, seat=3).write(Taken(5, 0.1))
    with path.open("a", encoding="utf-8") as file:
        file.write('{"event": "tak')
    again = Ledger(path, seat=3)
    again.write(Taken(2, 0.1))
    assert [(event["seat"], event["steps"]) for event in again.events] == [(3, 5), (3, 2)]
    assert Ledger(path, seat=3).events == again.events
