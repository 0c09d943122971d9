"""What every solver of sparse_update keeps on every small instance; a new one gets all of it by its name."""

from __future__ import annotations

import json
from functools import cache
from itertools import pairwise

import pytest
from independent.sparse_evaluator import evaluate
from small_updates import NAMES, document_of, optimum_of, problem_of

from edgeplan.models.result import OPTIMALITY_GAP, Result, Status, Stop
from edgeplan.models.sparse_update import SparsePlan, SparseUpdate
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.registry import solvers_of

SOLVERS = solvers_of("sparse_update")
EXACT = ["lagrangian", "cp-sat", "milp"]

every_solver = pytest.mark.parametrize("solver", SOLVERS)
every_instance = pytest.mark.parametrize("name", NAMES)


@cache
def _solved(solver: str, name: str) -> tuple[SparseUpdate, Result]:
    given = problem_of(name)
    return given, SOLVERS[solver].solve(given, SolveLimits(time_limit_s=30, seed=1))


def solved(solver: str, name: str) -> Result:
    """The result of the one solve that most of these tests look at."""
    return _solved(solver, name)[1]


@every_solver
@every_instance
def test_a_plan_breaks_no_rule_and_has_the_objective_that_is_told(solver: str, name: str) -> None:
    result = solved(solver, name)
    if result.plan is None:
        return
    verdict = problem_of(name).check(SparsePlan.from_document(result.plan))
    assert verdict.violations == ()
    assert (verdict.objective, verdict.metrics) == (result.objective, result.metrics)
    judged = evaluate(document_of(name), result.plan)
    assert judged.feasible
    assert judged.objective == pytest.approx(result.objective)


@every_solver
@every_instance
def test_objective_bound_and_claims_stand_to_the_optimum_as_they_must(solver: str, name: str) -> None:
    result, best = solved(solver, name), optimum_of(name)
    if best is None:
        assert result.status in (Status.INFEASIBLE, Status.NO_PLAN)
        return
    assert result.status is not Status.INFEASIBLE
    if result.objective is not None:
        assert result.objective <= best[0] + 1e-9 * abs(best[0])
    if result.bound is not None:
        assert result.bound >= best[0] - 1e-9 * abs(best[0])
    if result.status is Status.OPTIMAL:
        assert result.objective == pytest.approx(best[0], rel=OPTIMALITY_GAP)


@pytest.mark.parametrize("solver", EXACT)
@every_instance
def test_an_exact_solver_proves_what_it_says_of_a_small_instance(solver: str, name: str) -> None:
    known = Status.INFEASIBLE if optimum_of(name) is None else Status.OPTIMAL
    assert (solved(solver, name).status, solved(solver, name).stop) == (known, Stop.PROOF)


@pytest.mark.parametrize("solver", EXACT)
@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("no ")])
def test_an_infeasible_instance_has_conflicts_and_a_second_reason(solver: str, name: str) -> None:
    result = solved(solver, name)
    assert result.conflicts
    assert str(result.detail).startswith(
        "confirmed by HiGHS" if solver == "cp-sat" else "confirmed by CP-SAT"
    )


@every_solver
@every_instance
def test_the_same_seed_gives_the_same_plan(solver: str, name: str) -> None:
    again = SOLVERS[solver].solve(problem_of(name), SolveLimits(time_limit_s=30, seed=1))
    first = solved(solver, name)
    assert (again.plan, again.objective, again.status) == (first.plan, first.objective, first.status)
    assert again.conflicts == first.conflicts


@every_solver
@every_instance
def test_a_solver_leaves_the_instance_as_it_was(solver: str, name: str) -> None:
    given, result = _solved(solver, name)
    assert given.instance == problem_of(name).instance
    assert given.document == document_of(name)
    assert result.instance_sha256 == problem_of(name).instance_sha256


@every_solver
@every_instance
def test_a_result_survives_the_way_to_json_and_back(solver: str, name: str) -> None:
    result = solved(solver, name)
    document = json.loads(json.dumps(result.to_document(), allow_nan=False))
    assert Result.model_validate(document) == result


@every_solver
@every_instance
def test_incumbents_get_better_and_end_in_the_result(solver: str, name: str) -> None:
    result = solved(solver, name)
    for before, after in pairwise(result.incumbents):
        assert before.runtime_s <= after.runtime_s <= result.runtime_s
        if before.objective is not None:
            assert after.objective is not None
            assert after.objective >= before.objective
        if before.bound is not None:
            assert after.bound is not None
            assert after.bound <= before.bound
    if result.incumbents:
        assert result.incumbents[-1].objective == result.objective


@every_solver
@pytest.mark.parametrize(
    "name", ["two boards", "coverage and nesting of slices alone", "no memory for any depth"]
)
def test_a_limit_that_has_passed_leaves_no_false_claim(solver: str, name: str) -> None:
    result, best = SOLVERS[solver].solve(problem_of(name), SolveLimits(time_limit_s=1e-9)), optimum_of(name)
    if result.status not in (Status.OPTIMAL, Status.INFEASIBLE):
        assert result.stop in (Stop.TIME_LIMIT, Stop.WORK_LIMIT)
    assert (result.status is Status.INFEASIBLE) <= (best is None)
    if result.bound is not None and best is not None:
        assert result.bound >= best[0] - 1e-9


@every_solver
@pytest.mark.parametrize("name", ["two boards", "nesting and a pin", "a general network and coverage by two"])
def test_a_warm_start_is_never_made_worse(solver: str, name: str) -> None:
    best = optimum_of(name)
    assert best is not None
    warm = SolveLimits(warm_start=SparsePlan.from_document(best[1]))
    result = SOLVERS[solver].solve(problem_of(name), warm)
    assert result.objective == pytest.approx(best[0])
    assert result.solver.options["warm_start"] == "accepted"


@every_solver
def test_a_warm_start_that_breaks_a_rule_is_repaired_and_said_to_be(solver: str) -> None:
    both = {"depth": 2, "updates": [{"layer": "conv", "ratio": 1.0}, {"layer": "fc", "ratio": 1.0}]}
    wrong = SparsePlan.from_document({"devices": [{"id": "small", **both}, {"id": "large", **both}]})
    result = SOLVERS[solver].solve(problem_of("two boards"), SolveLimits(warm_start=wrong))
    assert str(result.solver.options["warm_start"]).startswith("repaired: device small needs 2000 bytes")
    assert result.objective is not None


@every_solver
def test_a_warm_start_of_other_devices_is_said_to_be_rejected(solver: str) -> None:
    wrong = SparsePlan.from_document({"devices": [{"id": "elsewhere", "depth": 0}]})
    result = SOLVERS[solver].solve(problem_of("two boards"), SolveLimits(warm_start=wrong))
    assert str(result.solver.options["warm_start"]).startswith("rejected: device small is missing")
