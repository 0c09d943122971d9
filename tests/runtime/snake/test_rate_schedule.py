from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch")

from snake_instances import OWN, SHARED, plan, problem, training

from edgeplan.runtime.snake import RunSettings, prepare
from edgeplan.runtime.snake.device.node import NodeProcess
from edgeplan.runtime.snake.device.schedule import COSINE, SCHEDULES, rate_share


@given(
    schedule=st.sampled_from(SCHEDULES),
    rounds=st.integers(1, 50),
    divergence=st.floats(0.0, 1.0),
    data=st.data(),
)
def test_a_share_is_between_0_and_1(
    schedule: str, rounds: int, divergence: float, data: st.DataObject
) -> None:
    number = data.draw(st.integers(1, rounds))
    assert 0.0 <= rate_share(schedule, round_number=number, rounds=rounds, divergence=divergence) <= 1.0


def test_a_falling_rate_begins_whole_and_falls_with_every_round() -> None:
    shares = [rate_share(COSINE, round_number=k, rounds=7, divergence=0.9) for k in range(1, 8)]
    assert shares[0] == 1.0
    assert shares == sorted(shares, reverse=True)
    assert 0.0 < shares[-1] < 0.1


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_optimizer_of_a_visit_has_the_scheduled_share_of_the_rate(schedule: str, tmp_path: Path) -> None:
    given = problem(shared_layers=list(SHARED), training=training(optimizer_bytes=8))
    settings = RunSettings(rounds=4, alpha=0.5, learning_rate=0.01, schedule=schedule, emulation="none")
    job = prepare(given, plan(*((name,) for name in OWN)), settings, out=tmp_path)
    node = NodeProcess.of(job, 1)
    optimizer = node.optimizer(node.workload.train_only(OWN), 3)
    assert optimizer is not None
    expected = {"constant": 0.01, "cosine": 0.005, "divergence": 0.01 * (1.0 - job.divergences[1])}
    assert optimizer.param_groups[0]["lr"] == pytest.approx(expected[schedule])
