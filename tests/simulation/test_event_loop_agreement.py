"""Arrays and a plain event loop agree on every round of random small plans, with noise and churn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from drawn_rounds import Draws, Outcome
from one_aggregation import update_round
from one_batch import OneBatch
from one_serial_round import serial_round
from one_slot import OneSlot
from played_problems import JITTER, churn_of, drawn, played_out

from edgeplan.simulation import SimulationSettings
from edgeplan.simulation.chance import Chance
from edgeplan.simulation.presence import Presence, presence_of
from edgeplan.simulation.simulating import Replay
from edgeplan.simulation.slots import SlotReplay

ROUNDS = 4
Judge = Callable[[Any, Draws], Outcome]


def presences(replay: Any, lanes: int, labels: dict[Any, tuple[int, ...]]) -> dict[Any, Presence]:
    """Streams as the replay labels them, by the names that the event loop has for nodes."""
    settings = replay.settings
    if settings.churn is None:
        return {}
    chance = Chance(settings.seed, 0)
    return {name: presence_of(chance, settings.churn, lanes, *label) for name, label in labels.items()}


def judge_serial(replay: Any, draws: Draws) -> Outcome:
    nodes = range(len(replay.problem.instance.network.nodes))
    coming = presences(replay, ROUNDS, {k: (k,) for k in nodes if k != replay.server})
    substitutes = [list(visit.nodes[1:]) for visit in replay.visits]
    return serial_round(replay.problem, replay.plan, draws, coming, substitutes)


def judge_pipeline(replay: Any, draws: Draws) -> Outcome:
    coming = presences(replay, ROUNDS, {k: (visit.node,) for k, visit in enumerate(replay.visits)})
    labels = {
        (one.direction, one.stage, one.micro_batch, one.target): position
        for position, (one, _) in enumerate(replay.activities)
    }
    return OneBatch(replay.problem, replay.plan, draws, coming, labels).played()


def judge_slot(replay: SlotReplay, draws: Draws) -> Outcome:
    _, clusters, stages = replay.line.device.shape
    coming = presences(replay, ROUNDS * clusters, {k: (k,) for k in range(stages)})
    return OneSlot(replay.problem, replay.plan, draws, coming).played()


class OneLaneOf(Presence):
    """The lane of a device among the lanes of all devices."""

    def __init__(self, presence: Presence, device: int, devices: int) -> None:
        self._presence, self._device, self._devices = presence, device, devices

    def _lanes(self, at: Any) -> Any:
        return at * self._devices + self._device

    def is_there(self, at: Any, now: Any) -> Any:
        return self._presence.is_there(self._lanes(at), now)

    def there_from(self, at: Any, now: Any) -> Any:
        return self._presence.there_from(self._lanes(at), now)

    def leaves_after(self, at: Any, now: Any) -> Any:
        return self._presence.leaves_after(self._lanes(at), now)


def judge_updates(replay: Any, draws: Draws) -> Outcome:
    devices = len(replay.problem.instance.devices)
    together = presences(replay, ROUNDS * devices, {"all": ()})
    coming: dict[Any, Presence] = {
        d: OneLaneOf(one, d, devices) for one in together.values() for d in range(devices)
    }
    return update_round(replay.problem, replay.plan, draws, coming)


CASES: list[tuple[str, str, Judge]] = [
    ("serial", "wait", judge_serial),
    ("serial", "replace", judge_serial),
    ("serial", "skip", judge_serial),
    ("pipeline", "wait", judge_pipeline),
    ("segments", "wait", judge_slot),
    ("segments", "skip", judge_slot),
    ("updates", "wait", judge_updates),
    ("updates", "skip", judge_updates),
]


def assert_agree(replay: Replay, rounds: Any, judge: Judge, place: Any) -> Counter[str]:
    """Assert that all rounds agree; count what was met."""
    met: Counter[str] = Counter()
    for number in range(ROUNDS):
        outcome = judge(replay, Draws(replay.settings, ROUNDS, number))  # type: ignore[attr-defined]
        where = (place, number)
        assert rounds.time_s[number] == pytest.approx(outcome.time_s, rel=1e-9, abs=1e-12), where
        if np.isinf(outcome.time_s):
            met["endless"] += 1
            continue
        told = (rounds.lost[number], rounds.replaced[number], rounds.skipped[number])
        assert told == (outcome.lost, outcome.replaced, outcome.skipped), where
        if rounds.energy_j is not None:
            assert rounds.energy_j[number] == pytest.approx(outcome.energy_j, rel=1e-9, abs=1e-12), where
        if not isinstance(replay, SlotReplay):
            assert rounds.bytes_moved[number] == pytest.approx(outcome.bytes_moved, rel=1e-9, abs=1e-6), where
        for name in ("lost", "replaced", "skipped"):
            met[name] += getattr(outcome, name) > 0
    return met


@pytest.mark.parametrize(("kind", "policy", "judge"), CASES, ids=[f"{one[0]}-{one[1]}" for one in CASES])
def test_every_round_agrees_with_the_event_loop(kind: str, policy: str, judge: Judge) -> None:
    met: Counter[str] = Counter()
    for seed, problem, plan in drawn(kind, range(60)):
        if kind == "pipeline" and not problem.instance.overlap:
            continue
        plain, _ = played_out(problem, plan, SimulationSettings(rounds=1))
        churn = churn_of(seed, plain.predicted.time_s or 1.0)
        settings = SimulationSettings(ROUNDS, seed, JITTER, churn, policy)
        replay, rounds = played_out(problem, plan, settings)
        met += assert_agree(replay, rounds, judge, (kind, policy, seed))
    assert met["lost"] > 10
    assert met["skipped"] > 10 or policy != "skip"
    assert met["replaced"] > 3 or policy != "replace"


WAITING = {kind: judge for kind, policy, judge in CASES if policy == "wait"}


@pytest.mark.parametrize(("kind", "judge"), WAITING.items(), ids=[*WAITING])
def test_noise_alone_agrees_with_the_event_loop(kind: str, judge: Judge) -> None:
    for seed, problem, plan in drawn(kind, range(40)):
        if kind == "pipeline" and not problem.instance.overlap:
            continue
        replay, rounds = played_out(problem, plan, SimulationSettings(ROUNDS, seed, JITTER))
        assert_agree(replay, rounds, judge, (kind, seed))
