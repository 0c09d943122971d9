"""What is drawn has the law that the settings state, and does not depend on who asks or in which order."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgeplan.errors import UsageError
from edgeplan.simulation import Churn
from edgeplan.simulation.attempts import MOST_ATTEMPTS, carry_out
from edgeplan.simulation.chance import Chance, Drawn
from edgeplan.simulation.presence import Always, Coming, all_there_from, first_to_leave

CHURN = Churn(10.0, 4.0)
LANES = 20_000
EVERY = np.arange(LANES)


def node(*label: int, lanes: int = LANES) -> Coming:
    return Coming(Chance(5, 0), CHURN, lanes, label)


def at_once(now: float, lanes: int = LANES) -> np.ndarray:
    return np.full(lanes, now)


@pytest.mark.parametrize("variation", [0.1, 0.5, 2.0])
def test_factors_have_mean_1_and_the_variation_asked_for(variation: float) -> None:
    drawn = Chance(1, 0).factors(variation, (400_000,), Drawn.COMPUTE)
    assert drawn.mean() == pytest.approx(1.0, rel=0.02)
    assert drawn.std() == pytest.approx(variation, rel=0.1)
    assert np.log(drawn).std() == pytest.approx(math.sqrt(math.log1p(variation**2)), rel=0.01)


def test_a_stream_is_the_same_whatever_else_is_drawn_and_differs_from_others() -> None:
    first = Chance(1, 0).factors(0.3, (8,), Drawn.COMPUTE, 4)
    assert (Chance(1, 0).factors(0.3, (5,), Drawn.COMPUTE, 4) == first[:5]).all()
    others = [
        Chance(2, 0).factors(0.3, (8,), Drawn.COMPUTE, 4),
        Chance(1, 1).factors(0.3, (8,), Drawn.COMPUTE, 4),
        Chance(1, 0).factors(0.3, (8,), Drawn.TRANSFER, 4),
        Chance(1, 0).factors(0.3, (8,), Drawn.COMPUTE, 5),
    ]
    assert all((other != first).all() for other in others)


@pytest.mark.parametrize("now", [0.0, 3.0, 50.0, 400.0])
def test_a_node_is_there_as_often_at_any_time(now: float) -> None:
    assert node(1).is_there(EVERY, at_once(now)).mean() == pytest.approx(CHURN.share_up, abs=0.01)


@pytest.mark.parametrize("now", [0.0, 50.0])
def test_times_up_and_down_are_exponential_from_any_time_on(now: float) -> None:
    one, start = node(2), at_once(now)
    there = one.is_there(EVERY, start)
    stays = (one.leaves_after(EVERY, start) - now)[there]
    away = (one.there_from(EVERY, start) - now)[~there]
    for times, mean in ((stays, CHURN.mean_up_s), (away, CHURN.mean_down_s)):
        assert times.mean() == pytest.approx(mean, rel=0.05)
        assert (times > mean).mean() == pytest.approx(math.exp(-1), abs=0.02)
        assert (times > 3 * mean).mean() == pytest.approx(math.exp(-3), abs=0.01)


def test_answers_do_not_depend_on_the_order_of_questions() -> None:
    early, late = node(3), node(3)
    late.is_there(EVERY, at_once(900.0))
    for now in (0.0, 7.0, 300.0):
        assert (early.leaves_after(EVERY, at_once(now)) == late.leaves_after(EVERY, at_once(now))).all()
        assert (early.there_from(EVERY, at_once(now)) == late.there_from(EVERY, at_once(now))).all()


def test_nodes_come_and_go_each_by_itself() -> None:
    one, other = (node(k).is_there(EVERY, at_once(20.0)) for k in (4, 5))
    assert (one & other).mean() == pytest.approx(CHURN.share_up**2, abs=0.015)


def test_all_are_there_when_all_are_said_to_be() -> None:
    nodes = [node(k, lanes=500) for k in range(4)]
    every, start = np.arange(500), at_once(5.0, 500)
    together = all_there_from(nodes, every, start)
    assert all(one.is_there(every, together).all() for one in nodes)
    assert (first_to_leave(nodes, every, together) > together).all()
    before = np.nextafter(together, 0.0)
    waited = together > start
    missing = ~np.all([one.is_there(every, before) for one in nodes], axis=0)
    assert missing[waited].all()


def test_work_that_nobody_stays_for_comes_to_no_end() -> None:
    carried = carry_out([node(6, lanes=3)], np.zeros(3), np.full(3, 1e4))
    assert np.isinf(carried.end).all()
    assert carried.attempts_lost.tolist() == [MOST_ATTEMPTS] * 3


def test_mean_time_of_work_with_losses_is_the_one_of_theory() -> None:
    # From a node that is there, work of d seconds ends in the mean after (e^(d / up) - 1) (up + down).
    seconds, every = 5.0, np.arange(LANES)
    one = node(7)
    ready = one.there_from(every, at_once(0.0))
    carried = carry_out([one], ready, at_once(seconds))
    expected = (math.exp(seconds / CHURN.mean_up_s) - 1) * (CHURN.mean_up_s + CHURN.mean_down_s)
    assert (carried.end - ready).mean() == pytest.approx(expected, rel=0.03)
    parts = carried.waiting + carried.lost + seconds
    assert parts == pytest.approx(carried.end - ready)


def test_a_node_that_never_leaves_is_always_there() -> None:
    one, start = Always(), np.array([3.0])
    assert one.is_there(np.array([0]), start).all()
    assert one.there_from(np.array([0]), start) == start
    assert np.isinf(one.leaves_after(np.array([0]), start)).all()


def test_times_too_short_for_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeplan.simulation.presence.MOST_TIMES", 2**16)
    one = Coming(Chance(1, 0), Churn(1e-6, 1e-6), 1000, ())
    with pytest.raises(UsageError, match=r"^--churn 1e-06/1e-06: too short beside a round of this plan"):
        one.is_there(np.array([0]), np.array([1e3]))
