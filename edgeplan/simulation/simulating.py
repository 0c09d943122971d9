"""A simulation from a plan to its document, in chunks of rounds that memory holds."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np

from edgeplan.errors import UsageError
from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.models.problem import PlanDocument, Problem
from edgeplan.models.segment_scheduling import SegmentPlan, SegmentScheduling
from edgeplan.models.simulated import Predicted, Simulation, SimulationSettingsDocument
from edgeplan.models.sparse_update import SparsePlan, SparseUpdate
from edgeplan.simulation.chance import Chance
from edgeplan.simulation.notes import notes_on
from edgeplan.simulation.pipeline import PipelineReplay
from edgeplan.simulation.rounds import Rounds, joined
from edgeplan.simulation.serial import SerialReplay
from edgeplan.simulation.settings import SimulationSettings
from edgeplan.simulation.slots import SlotReplay
from edgeplan.simulation.summary import distribution, quantiles, share_above, shares_of
from edgeplan.simulation.updates import UpdateReplay

FLOATS_AT_A_TIME = 16_000_000
"""Numbers that the rounds of a chunk may take, some 128 MB."""
_LARGEST_CHUNK = 4096

OnRounds = Callable[[int], None]
"""Called with the number of rounds simulated so far."""


class Replay(Protocol):
    """A plan ready to be played."""

    @property
    def predicted(self) -> Predicted:
        """What the problem says of a round."""
        ...

    @property
    def period(self) -> int:
        """Rounds that belong together."""
        ...

    @property
    def floats_of_a_round(self) -> int:
        """How many numbers a round takes at once."""
        ...

    def play(self, chance: Chance, rounds: int) -> Rounds:
        """Play the first rounds of a chunk."""
        ...


def simulate(
    problem: Problem,
    plan: PlanDocument,
    settings: SimulationSettings,
    *,
    on_rounds: OnRounds | None = None,
) -> Simulation:
    """Play a plan round by round.

    Parameters
    ----------
    problem, plan
        What is played; the plan may break no rule.
    settings
        How.
    on_rounds
        Called with the number of rounds done.

    Raises
    ------
    UsageError
        When a setting is out of range or does not go with the problem, or the plan breaks a rule.
    """
    began = time.monotonic()
    settings.check(problem)
    _refuse_violations(problem, plan)
    replay = replay_of(problem, plan, settings)
    rounds = played(replay, settings, on_rounds=on_rounds)
    ended = np.isfinite(rounds.time_s)
    deadline_s = _deadline_s(problem, settings)
    return Simulation(
        problem=problem.name,
        instance_sha256=problem.instance_sha256,
        name=problem.instance.name,
        settings=SimulationSettingsDocument.model_validate(settings.to_document(problem)),
        predicted=replay.predicted,
        time_s=distribution(rounds.time_s, ended),
        shares=shares_of(rounds, ended),
        bytes_moved=distribution(rounds.bytes_moved, ended),
        energy_j=None if rounds.energy_j is None else distribution(rounds.energy_j, ended),
        rounds_ended=int(ended.sum()),
        deadline_s=deadline_s,
        above_deadline=share_above(rounds.time_s, deadline_s),
        lost_per_round=float(rounds.lost.mean()),
        replaced_per_round=float(rounds.replaced.mean()),
        skipped_per_round=float(rounds.skipped.mean()),
        quantiles_s=tuple(quantiles(rounds.time_s, [share / 100 for share in range(101)])),
        notes=tuple(notes_on(problem, settings)),
        runtime_s=time.monotonic() - began,
    )


def played(replay: Replay, settings: SimulationSettings, *, on_rounds: OnRounds | None = None) -> Rounds:
    """Return the rounds of a simulation, one by one."""
    parts, done = [], 0
    for chance, count in _chunks(replay, settings):
        parts.append(replay.play(chance, count))
        done += count
        if on_rounds is not None:
            on_rounds(done)
    return joined(parts)


def replay_of(problem: Problem, plan: PlanDocument, settings: SimulationSettings) -> Replay:
    """Make a plan ready to be played, by its problem and schedule."""
    if isinstance(problem, SparseUpdate):
        assert isinstance(plan, SparsePlan)
        return UpdateReplay(problem, plan, settings)
    if isinstance(problem, SegmentScheduling):
        assert isinstance(plan, SegmentPlan)
        return SlotReplay(problem, plan, settings)
    assert isinstance(problem, LayerAssignment)
    assert isinstance(plan, Plan)
    kind = PipelineReplay if problem.is_pipeline else SerialReplay
    return kind(problem, plan, settings)


def _chunks(replay: Replay, settings: SimulationSettings) -> Iterator[tuple[Chance, int]]:
    size = min(_LARGEST_CHUNK, FLOATS_AT_A_TIME // max(1, replay.floats_of_a_round))
    size = max(1, size // replay.period) * replay.period
    for number in range(math.ceil(settings.rounds / size)):
        yield Chance(settings.seed, number), min(size, settings.rounds - number * size)


def _refuse_violations(problem: Problem, plan: PlanDocument) -> None:
    violations = problem.check(plan).violations
    if violations:
        first = violations[0]
        more = f", and {len(violations) - 1} more" if len(violations) > 1 else ""
        raise UsageError(
            f"{first.pointer}: {first.message}{more}; simulate a plan that edgeplan check finds feasible"
        )


def _deadline_s(problem: Problem, settings: SimulationSettings) -> float | None:
    if settings.deadline_s is not None or not isinstance(problem, LayerAssignment):
        return settings.deadline_s
    return problem.instance.limits.deadline_s
