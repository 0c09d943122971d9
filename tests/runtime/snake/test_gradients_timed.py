"""Computing is the gradients' time; updates run, are told, and are in no time of the round."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import torch
from snake_instances import Finished
from torch import nn

from edgeplan.runtime.processes import stopwatch
from edgeplan.runtime.snake.device.calibration import time_full_step
from edgeplan.runtime.snake.device.clock import RoundClock
from edgeplan.runtime.snake.device.training import train
from edgeplan.runtime.snake.device.workload import Workload

BATCH = (torch.rand(2, 4), torch.zeros(2, dtype=torch.long))


class Clockwork:
    """Processor time that passes only when the network runs forward, 3 s, or parameters are updated, 1 s."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 0.0
        monkeypatch.setattr(stopwatch.time, "process_time", lambda: self.now_s)
        monkeypatch.setattr(stopwatch.time, "monotonic", lambda: 2 * self.now_s)

    def network(self) -> nn.Module:
        module = nn.Sequential(nn.Linear(4, 3))
        module.register_forward_pre_hook(lambda _module, _inputs: self._pass(3.0))
        return module

    def optimizer(self, module: nn.Module) -> torch.optim.Optimizer:
        optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
        optimizer.register_step_pre_hook(lambda _optimizer, _args, _kwargs: self._pass(1.0))
        return optimizer

    def _pass(self, seconds: float) -> None:
        self.now_s += seconds


def test_the_share_of_updates_is_that_of_the_processor_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clockwork = Clockwork(monkeypatch)
    module = clockwork.network()
    trained = train(module, clockwork.optimizer(module), [BATCH] * 5)
    assert trained.update_share == pytest.approx(0.25)
    assert trained.loss > 0


def test_nothing_trained_is_nothing_updated(monkeypatch: pytest.MonkeyPatch) -> None:
    assert train(Clockwork(monkeypatch).network(), None, [BATCH]).update_share == 0.0


def test_a_full_step_is_timed_without_its_update(monkeypatch: pytest.MonkeyPatch) -> None:
    clockwork = Clockwork(monkeypatch)
    monkeypatch.setattr(
        "edgeplan.runtime.snake.device.calibration.optimizer_for",
        lambda parameters, *_: clockwork.optimizer(parameters_of(parameters)),
    )
    spent = time_full_step(Workload(clockwork.network()), [BATCH] * 2, optimizer_bytes=0, learning_rate=None)
    assert spent.processor_s == pytest.approx(3.0)
    assert spent.wall_s == pytest.approx(6.0)


def parameters_of(parameters: list[nn.Parameter]) -> nn.Module:
    return nn.ParameterList(parameters)


def test_seconds_left_out_move_the_clock_back() -> None:
    clock = RoundClock(origin_s=0.0)
    clock.leave_out(2.5)
    assert clock.paused_s == 2.5


def test_the_updates_of_a_run_are_told_beside_its_times(by_peers: Finished) -> None:
    report = by_peers.report
    per_round = [sum(visit["update_s"] for visit in entry["timeline"]) for entry in report["rounds"]]
    assert min(per_round) > 0
    assert report["totals"]["measured_update_s"] == pytest.approx(sorted(per_round)[len(per_round) // 2])
    assert any("in no time of this report" in note for note in report["notes"])
