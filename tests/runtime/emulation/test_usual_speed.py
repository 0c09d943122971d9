"""Work counts as at the processor's usual speed, and a held node has as much of it as that takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("torch")

from edgeplan.runtime.emulation import pace as pace_module
from edgeplan.runtime.emulation import usual_speed
from edgeplan.runtime.emulation.holding import held
from edgeplan.runtime.emulation.pace import Held, Pace
from edgeplan.runtime.emulation.quotas import ControlGroup
from edgeplan.runtime.emulation.usual_speed import LEAST_S, Work, reference_s
from edgeplan.runtime.processes.stopwatch import Spent

USUAL_S, STEP_S = 0.0002, 0.004


@dataclass
class Machine:
    """A processor whose work takes `slowness` times its usual time, and a clock that only it moves."""

    slowness: float = 1.0
    wall_s: float = 0.0
    processor_s: float = 0.0

    def work(self, usual_s: float) -> float:
        self.wall_s += self.slowness * usual_s
        self.processor_s += self.slowness * usual_s
        return self.slowness * usual_s

    def sleep(self, seconds: float) -> None:
        self.wall_s += seconds


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()

    class Watch:
        def __init__(self) -> None:
            self._begin = made.wall_s, made.processor_s

        def read(self) -> Spent:
            return Spent(made.wall_s - self._begin[0], made.processor_s - self._begin[1])

    monkeypatch.setattr(usual_speed, "Stopwatch", Watch)
    monkeypatch.setattr(usual_speed, "reference_s", lambda: made.work(USUAL_S))
    monkeypatch.setattr(pace_module.time, "sleep", made.sleep)
    return made


def visit(machine: Machine, pace: Pace, slowness: list[float], step_s: float = STEP_S) -> float:
    """Make a visit of a step at each slowness, and return how long it was on the wall."""
    begin_s = machine.wall_s
    with pace.kept():
        for machine.slowness in pace.steadied(slowness):
            machine.work(step_s)
    return machine.wall_s - begin_s


def test_work_counts_as_at_the_usual_speed(machine: Machine) -> None:
    work, machine.slowness = Work(USUAL_S), 2.0
    machine.work(STEP_S)
    work.measure()
    assert work.processor_s == pytest.approx(2 * (STEP_S + USUAL_S))
    assert work.done_s == pytest.approx(STEP_S + USUAL_S)
    assert work.usual_share == pytest.approx(0.5)
    assert work.seen_s == pytest.approx(2 * USUAL_S)


def test_what_came_between_two_references_counts_by_both(machine: Machine) -> None:
    work = Work(USUAL_S)
    machine.work(STEP_S)
    work.measure()
    machine.slowness, before_s = 3.0, work.done_s
    machine.work(STEP_S / 2)
    work.measure()
    assert work.done_s - before_s == pytest.approx(3 * (STEP_S / 2 + USUAL_S) / 2)


def test_very_little_work_waits_for_more_before_it_is_measured(machine: Machine) -> None:
    work = Work(USUAL_S)
    machine.work(LEAST_S / 2)
    work.measure()
    assert work.seen_s is None
    work.end()
    assert work.done_s == work.processor_s == pytest.approx(LEAST_S / 2)


def test_a_held_visit_takes_as_long_on_a_slow_processor(machine: Machine, tmp_path: Path) -> None:
    pace = Held(ControlGroup(tmp_path), 0.25, USUAL_S)
    fast, slow = (visit(machine, pace, [slowness] * 10) for slowness in (1.0, 1.4))
    assert slow == pytest.approx(fast)
    assert fast == pytest.approx(10 * (STEP_S + USUAL_S) / 0.25)
    assert pace.at_usual_speed(1.4) == pytest.approx(1.0)


def test_without_a_usual_speed_the_processor_is_taken_as_it_is(machine: Machine, tmp_path: Path) -> None:
    pace = Held(ControlGroup(tmp_path), 0.25)
    assert visit(machine, pace, [1.4] * 10) == pytest.approx(1.4 * 10 * (STEP_S + USUAL_S) / 0.25)
    assert pace.at_usual_speed(1.4) == 1.4
    assert pace.tried(0.3).usual_s == pytest.approx(1.4 * USUAL_S)
    assert pace.tried(0.3).share == 0.3


def test_the_quota_has_room_for_a_slow_processor_and_ends_with_the_visit(
    machine: Machine, tmp_path: Path
) -> None:
    asked: list[float | None] = []

    class Group(ControlGroup):
        def set_share(self, share: float | None) -> None:
            asked.append(share)

    visit(machine, Held(Group(tmp_path), 0.25, USUAL_S), [1.0])
    assert asked == [0.25, 0.375, None]


def test_steps_of_what_is_not_held_are_left_alone(machine: Machine, tmp_path: Path) -> None:
    steps = Held(ControlGroup(tmp_path / "no group"), 0.25, USUAL_S).steadied(_working(machine))
    assert list(steps) == [0, 1]
    assert machine.wall_s == machine.processor_s == 0.02


def _working(machine: Machine) -> Iterator[int]:
    for step in range(2):
        machine.work(0.01)
        yield step


def test_the_speed_of_the_last_trial_is_the_usual_one(machine: Machine, tmp_path: Path) -> None:
    slowness = iter([1.2, 0.9, 1.3, 1.0])

    def time_visit(pace: Pace) -> Spent:
        now, before_s = next(slowness), machine.processor_s
        wall_s = visit(machine, pace, [now] * 10)
        return Spent(wall_s / 10, pace.at_usual_speed(machine.processor_s - before_s) / 10)

    holding = held(ControlGroup(tmp_path), time_visit, free=Spent(STEP_S, STEP_S), wanted_s=0.02)
    assert holding.step_s == pytest.approx(0.02)
    assert isinstance(holding.pace, Held)
    assert holding.pace.usual_s == pytest.approx(0.9 * USUAL_S)
    assert holding.share == pytest.approx(0.9 * (STEP_S + USUAL_S) / 0.02)
    assert visit(machine, holding.pace, [0.7] * 10) == pytest.approx(10 * 0.02)


def test_the_reference_is_work_and_draws_no_random_numbers() -> None:
    import torch

    before = torch.random.get_rng_state()
    assert reference_s() > 0
    assert torch.equal(torch.random.get_rng_state(), before)
