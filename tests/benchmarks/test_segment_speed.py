"""The speed of slots: rivals in CVXPY agree with the kernel, tables say what was measured."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from benchmarks.rivals.segment_scheduling.enumeration import enumerated, structures
from benchmarks.segment_figure import draw
from benchmarks.segment_slots import with_queues
from benchmarks.segment_speed import GROWTH, growth_table, slot_table, structure_table
from benchmarks.segment_speed_points import (
    FixedStructures,
    decided,
    growth_point,
    slot_point,
    structure_point,
)
from edgeplan.models.segment_scheduling.queues import budgets_j
from edgeplan.solvers.segment_scheduling.slot_arrays import InstanceArrays, Prices

GROWN: dict[str, Any] = {
    "part": "growth",
    "sweep": "clusters",
    "clusters": 3,
    "devices": 4,
    "blocks": 12,
    "asked": 0.01,
    "failure": None,
    "cold_s": 0.5,
    "warm_s": 0.25,
    "cold_gap": 0.02,
    "warm_gap": 0.001,
}


@pytest.mark.parametrize("num_clusters", [1, 3])
def test_cvxpy_compiled_once_or_anew_finds_what_the_kernel_finds(num_clusters: int) -> None:
    slots = FixedStructures(with_queues(num_clusters, 4, 6, num_slots=2, seed=3))
    compiled = slots.stated()
    for gains in slots.problem.gains():
        ours = slots.by_kernel(gains)
        assert slots.by_cvxpy(gains, compiled) == pytest.approx(ours, rel=1e-6)
        assert slots.by_cvxpy(gains, slots.stated()) == pytest.approx(ours, rel=1e-6)


def test_the_enumeration_has_every_structure_that_fits_and_no_other() -> None:
    problem = with_queues(1, 2, 3, num_slots=1, seed=4, max_micro_batches=2)
    arrays, found = InstanceArrays(problem), set(structures(problem, 0))
    assert found
    assert all(arrays.allows(0, structure, [True, True]) for structure in found)
    runs = sum(
        1 for stages in (1, 2) for _ in itertools.permutations(range(2), stages) for _ in range(stages)
    )
    assert len(found) <= 2 * runs


def test_the_enumeration_of_a_tiny_slot_finds_the_controllers_optimum() -> None:
    problem = with_queues(2, 2, 2, num_slots=1, seed=1, max_micro_batches=2)
    prices, ours = Prices.of_queues(problem, problem.initial_queues), decided(problem, 1e-6, 30.0)
    theirs = enumerated(problem, prices, next(problem.gains()))
    assert theirs.is_complete
    assert theirs.objective == pytest.approx(ours.objectives[0], rel=1e-6)


def test_an_enumeration_without_time_says_that_it_is_cut_short() -> None:
    problem = with_queues(1, 2, 3, num_slots=1, seed=1)
    prices = Prices.of_queues(problem, problem.initial_queues)
    assert not enumerated(problem, prices, next(problem.gains()), time_limit_s=0.0).is_complete


def test_queues_weigh_as_much_as_the_latency() -> None:
    problem = with_queues(2, 3, 4, num_slots=1, seed=5)
    queues, budgets = problem.initial_queues, budgets_j(problem.instance)
    noise = queues.noise / problem.instance.control.noise_budget
    energy = sum(queues.energy_j[name] / budget for name, budget in budgets.items())
    assert 0.5 * noise < energy < 1.5 * noise


def test_a_point_of_each_part_has_a_line_in_its_table() -> None:
    fixed = structure_point(1, 2, 5.0)
    assert fixed["ours_s"] > 0
    assert len(list(structure_table([fixed]))) == 3
    slot = slot_point((1, 2, 2, 2), 2, 5.0)
    assert slot["tried"] == slot["combinations"]
    assert "extrapolated" not in list(slot_table([slot]))[-1]
    grown = growth_point("blocks", (1, 2, 2), 2, 5.0, 0.05)
    assert grown["failure"] is None
    assert len(list(growth_table([grown]))) == 3


def test_a_scaled_enumeration_says_so() -> None:
    row = {"size": [1, 2, 3, 4], "combinations": 100, "tried": 50, "failures": 1, "enumeration_s": 2.0}
    row |= {"cold_s": 0.01, "warm_s": None, "gap": 0.0, "difference": None}
    line = list(slot_table([row]))[-1]
    assert "| 4 s, extrapolated from 50, 1 not solved | 0.01 s |  | 400 |" in line


def test_growth_spans_what_the_project_asks_for() -> None:
    assert {size[0] for size in GROWTH["clusters"]} >= {1, 1000}
    assert {size[1] for size in GROWTH["devices"]} >= {2, 32}
    assert {size[2] for size in GROWTH["blocks"]} >= {4, 96}


def test_the_figure_is_drawn_the_same_each_time(tmp_path: Path) -> None:
    rows = [GROWN, GROWN | {"clusters": 30}, GROWN | {"sweep": "blocks", "warm_s": None, "warm_gap": None}]
    rows.append(GROWN | {"sweep": "devices", "failure": "killed after 9 s"})
    for name in ("one.svg", "other.svg"):
        draw(rows, tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "other.svg").read_bytes()
