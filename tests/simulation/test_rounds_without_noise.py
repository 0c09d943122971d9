"""Without noise and churn a round is what the problem predicts."""

from __future__ import annotations

import numpy as np
import pytest
from played_problems import drawn, played_out

from edgeplan.simulation import SimulationSettings

PLAIN = SimulationSettings(rounds=3)
EXACT = ("serial", "segments", "updates", "updates on a network")


@pytest.mark.parametrize("kind", EXACT)
def test_a_round_takes_what_the_problem_predicts(kind: str) -> None:
    met = 0
    for seed, problem, plan in drawn(kind, range(150)):
        replay, rounds = played_out(problem, plan, PLAIN)
        predicted = replay.predicted
        if predicted.time_s is None:
            assert np.isinf(rounds.time_s).all(), seed
            continue
        assert rounds.time_s.mean() == pytest.approx(predicted.time_s, rel=1e-9), seed
        if predicted.bytes_moved is not None:
            assert rounds.bytes_moved.tolist() == pytest.approx([predicted.bytes_moved] * 3, rel=1e-12), seed
        if predicted.energy_j is not None:
            assert rounds.energy_j is not None
            assert rounds.energy_j.mean() == pytest.approx(predicted.energy_j, rel=1e-9), seed
        met += 1
    assert met > 90


def test_bytes_of_layers_are_whole_and_equal_to_the_byte() -> None:
    for kind in ("serial", "pipeline"):
        for seed, problem, plan in drawn(kind, range(100)):
            replay, rounds = played_out(problem, plan, PLAIN)
            if np.isfinite(rounds.time_s).all():
                assert set(rounds.bytes_moved.tolist()) == {replay.predicted.bytes_moved}, seed


@pytest.mark.parametrize("kind", [*EXACT, "pipeline"])
def test_what_time_went_to_sums_to_the_time(kind: str) -> None:
    for seed, problem, plan in drawn(kind, range(60)):
        _, rounds = played_out(problem, plan, PLAIN)
        ended = np.isfinite(rounds.time_s)
        parts = rounds.compute_s + rounds.transfer_s + rounds.waiting_s + rounds.lost_s
        assert parts[ended] == pytest.approx(rounds.time_s[ended], rel=1e-9), seed


def test_every_slot_takes_its_own_time() -> None:
    for seed, problem, plan in drawn("segments", range(40)):
        _, rounds = played_out(problem, plan, SimulationSettings(rounds=2 * len(plan.slots) + 1))
        costs = [cost.latency_s for cost in problem.costs(plan)]
        assert rounds.time_s.tolist() == pytest.approx([*costs, *costs, costs[0]], rel=1e-9), seed
