"""Gains are those of the specification's formula, however many slots are drawn at a time."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import pytest
from small_segments import problem

from edgeplan.models.segment_scheduling import Gains, SegmentScheduling
from edgeplan.models.segment_scheduling.channels import _SLOTS_AT_A_TIME


def fading(slots: int, **members: Any) -> SegmentScheduling:
    """Two clusters of three devices in all, over so many slots."""
    given = problem()
    home = given.document["clusters"][0]
    yard = home | {"id": "yard", "devices": [home["devices"][0] | {"id": "other"}]}
    channels = {"kind": "rayleigh", "seed": 7, "d2d_gain": 1e-9, "uplink_gain": 1e-10} | members
    control = given.document["control"] | {"slots": slots}
    return given.replace(channels=channels, clusters=[home, yard], control=control)


def as_rows(gains: list[Gains]) -> list[list[float]]:
    """Columns: the devices in document order, then the clusters."""
    return [
        [*(slot.d2d[name] for name in ("fast", "slow", "other")), slot.uplink["home"], slot.uplink["yard"]]
        for slot in gains
    ]


def formula(slots: int, *, seed: int = 7, floor: float = 0.05) -> list[list[float]]:
    u = np.random.Generator(np.random.PCG64(seed)).random((slots, 5))
    means = np.array([1e-9, 1e-9, 1e-9, 1e-10, 1e-10])
    return (means * np.maximum(floor, -np.log1p(-u))).tolist()


@pytest.mark.parametrize(
    "slots", [1, 2, 3, _SLOTS_AT_A_TIME - 1, _SLOTS_AT_A_TIME, _SLOTS_AT_A_TIME + 1, 2 * _SLOTS_AT_A_TIME + 5]
)
def test_gains_are_those_of_the_formula_also_across_the_blocks_that_are_drawn(slots: int) -> None:
    assert as_rows([*fading(slots).gains()]) == formula(slots)


@pytest.mark.parametrize("floor", [0.05, 0.3, 2.0])
def test_the_floor_is_kept_and_is_a_twentieth_by_default(floor: float) -> None:
    members = {} if floor == 0.05 else {"floor": floor}
    rows = as_rows([*fading(500, **members).gains()])
    assert rows == formula(500, floor=floor)
    assert min(row[0] for row in rows) == pytest.approx(floor * 1e-9)


def test_another_seed_gives_other_gains() -> None:
    assert as_rows([*fading(4, seed=8).gains()]) == formula(4, seed=8) != formula(4)


def test_the_first_slots_do_not_depend_on_how_many_follow() -> None:
    assert as_rows([*islice(fading(5000).gains(), 10)]) == as_rows([*fading(10).gains()])


def test_reading_the_gains_twice_gives_them_twice() -> None:
    given = fading(20)
    assert [*given.gains()] == [*given.gains()]


def test_a_trace_gives_the_gains_as_written() -> None:
    trace = {"fast": [1e-9, 2e-9, 3e-9], "slow": [4e-9, 5e-9, 6e-9]}
    channels = {"kind": "trace", "d2d": trace, "uplink": {"home": [1.0, 1e-30, 7e-11]}}
    given = problem().replace(channels=channels, control=problem().document["control"] | {"slots": 3})
    assert [*given.gains()] == [
        Gains({"fast": 1e-9, "slow": 4e-9}, {"home": 1.0}),
        Gains({"fast": 2e-9, "slow": 5e-9}, {"home": 1e-30}),
        Gains({"fast": 3e-9, "slow": 6e-9}, {"home": 7e-11}),
    ]
