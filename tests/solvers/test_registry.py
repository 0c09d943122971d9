"""Solvers by name, and the options of a solve."""

from __future__ import annotations

from typing import Any

import pytest
from small_instances import document, problem

import edgeplan
from edgeplan.errors import UsageError
from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.result import Status
from edgeplan.models.segment_scheduling.examples import two_blocks_two_phones
from edgeplan.solvers.layer_assignment.milp.milp import Milp
from edgeplan.solvers.registry import solver_named, solvers_of

SOLVERS = solvers_of("layer_assignment")
PROBLEMS = ["layer_assignment", "segment_scheduling"]


@pytest.mark.parametrize("name", PROBLEMS)
def test_solvers_are_registered_under_their_own_names(name: str) -> None:
    solvers = solvers_of(name)
    assert solvers
    assert {key: solver.name for key, solver in solvers.items()} == {key: key for key in solvers}


def test_no_solver_s_name_stands_for_two_problems() -> None:
    names = [name for problem_name in PROBLEMS for name in solvers_of(problem_name)]
    assert len({*names}) == len(names)


def test_an_engine_of_milp_is_named_behind_a_colon() -> None:
    assert solver_named("milp:PULP_CBC_CMD", "layer_assignment") == Milp(engine="PULP_CBC_CMD")


@pytest.mark.parametrize("name", ["magic", "milp:", "cp-sat:HiGHS", ""])
def test_an_unknown_solver_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name!r}: must be one of auto, cp-sat, milp, dp, .*brute-force"):
        solver_named(name, "layer_assignment")


def test_auto_is_a_solver_of_every_problem_that_has_one() -> None:
    assert solver_named("auto", "layer_assignment").name == "auto"
    assert solver_named("auto", "segment_scheduling") is solver_named("dssda", "segment_scheduling")


@pytest.mark.parametrize("name", ["magic", "cp-sat", "milp:HiGHS", "dssda:HiGHS", ""])
def test_a_solver_of_another_problem_is_unknown(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name!r}: must be one of auto, dssda$"):
        solver_named(name, "segment_scheduling")


@pytest.mark.parametrize("solver", ["auto", "dssda"])
def test_a_schedule_is_solved_by_the_names_of_its_solvers(solver: str) -> None:
    result = edgeplan.solve(two_blocks_two_phones(), solver)
    assert (result.solver.name, result.status) == ("dssda", Status.OPTIMAL)
    with pytest.raises(UsageError, match="must be one of"):
        edgeplan.solve(problem(), "dssda")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("time_limit_s", 0),
        ("time_limit_s", -1.0),
        ("time_limit_s", float("nan")),
        ("time_limit_s", float("inf")),
        ("gap", -0.1),
        ("gap", float("nan")),
        ("seed", -1),
        ("seed", 2**31),
        ("workers", 0),
    ],
)
def test_an_option_out_of_range_is_refused(option: str, value: Any) -> None:
    for given in (problem(), two_blocks_two_phones()):
        with pytest.raises(UsageError, match=f"{option}: .*: must be"):
            edgeplan.solve(given, **{option: value})


@pytest.mark.parametrize("solver", SOLVERS)
def test_every_solver_takes_both_schedules(solver: str) -> None:
    for schedule in ("serial", "pipeline"):
        given = LayerAssignment.from_document(document(schedule=schedule))
        assert edgeplan.solve(given, solver).plan is not None


def test_brute_force_refuses_what_it_could_not_finish() -> None:
    with pytest.raises(UsageError, match=r"brute force would try \d+ plans, more than 2000000"):
        edgeplan.solve(problem("abcdefghij", "pqrstuvwxyz"[:10]), "brute-force")
