"""What every registered solver keeps on every small instance; a new solver gets all of it by its name."""

from __future__ import annotations

import copy
import json
from functools import cache
from itertools import pairwise

import pytest
from golden_instances import GOLDEN
from independent.evaluator import brute, evaluate
from small_instances import document, node

import edgeplan
from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.models.result import OPTIMALITY_GAP, Result, Status, Stop
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.registry import solvers_of

SOLVERS = solvers_of("layer_assignment")

every_solver = pytest.mark.parametrize("solver", SOLVERS)
every_instance = pytest.mark.parametrize("name", GOLDEN)
FEASIBLE = [name for name, golden in GOLDEN.items() if golden.optimum is not None]


def problem_of(name: str) -> LayerAssignment:
    return LayerAssignment.from_document(copy.deepcopy(GOLDEN[name].document))


@cache
def _solved(solver: str, name: str) -> tuple[LayerAssignment, Result]:
    given = problem_of(name)
    return given, SOLVERS[solver].solve(given, SolveLimits(time_limit_s=30, seed=1))


def solved(solver: str, name: str) -> Result:
    """The result of the one solve that most of these tests look at."""
    return _solved(solver, name)[1]


@every_instance
def test_the_golden_optimum_is_that_of_the_independent_brute_force(name: str) -> None:
    best = brute(GOLDEN[name].document)
    assert GOLDEN[name].optimum == (None if best is None else best.objective)


@every_solver
@every_instance
def test_a_plan_breaks_no_rule_and_has_the_objective_that_is_told(solver: str, name: str) -> None:
    result = solved(solver, name)
    if result.plan is None:
        return
    verdict = problem_of(name).check(Plan.from_document(result.plan))
    assert verdict.violations == ()
    assert (verdict.objective, verdict.metrics) == (result.objective, result.metrics)
    assert evaluate(GOLDEN[name].document, result.plan).feasible


@every_solver
@every_instance
def test_a_claim_of_optimality_is_the_golden_optimum(solver: str, name: str) -> None:
    result, optimum = solved(solver, name), GOLDEN[name].optimum
    if result.status is Status.OPTIMAL:
        assert result.objective == pytest.approx(optimum, rel=OPTIMALITY_GAP)
    if result.status is Status.INFEASIBLE:
        assert optimum is None


@every_solver
@every_instance
def test_objective_and_bound_stand_on_their_sides_of_the_optimum(solver: str, name: str) -> None:
    result, optimum = solved(solver, name), GOLDEN[name].optimum
    if result.objective is not None:
        assert optimum is not None
        assert result.objective >= optimum * (1 - 1e-9)
    if result.bound is not None and optimum is not None:
        assert result.bound <= optimum * (1 + 1e-9)


@pytest.mark.parametrize("solver", ["cp-sat", "milp", "dp", "brute-force"])
@every_instance
def test_an_exact_solver_proves_what_it_says_of_a_small_instance(solver: str, name: str) -> None:
    known = Status.INFEASIBLE if GOLDEN[name].optimum is None else Status.OPTIMAL
    assert (solved(solver, name).status, solved(solver, name).stop) == (known, Stop.PROOF)


@every_instance
def test_the_heuristic_proves_nothing_and_has_no_bound(name: str) -> None:
    result = solved("heuristic", name)
    assert result.status in (Status.FEASIBLE, Status.NO_PLAN)
    assert result.bound is None


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
    assert given.document == GOLDEN[name].document
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
            assert after.objective <= before.objective
        if before.bound is not None:
            assert after.bound is not None
            assert after.bound >= before.bound
    if result.incumbents:
        assert result.incumbents[-1].objective == result.objective


@every_solver
@pytest.mark.parametrize("name", ["a layer on each node", "a window to wait for", "no memory"])
def test_a_limit_that_has_passed_leaves_no_false_claim(solver: str, name: str) -> None:
    result = SOLVERS[solver].solve(problem_of(name), SolveLimits(time_limit_s=1e-9))
    if result.status not in (Status.OPTIMAL, Status.INFEASIBLE):
        assert result.stop in (Stop.TIME_LIMIT, Stop.WORK_LIMIT)
    assert (result.status is Status.INFEASIBLE) <= (GOLDEN[name].optimum is None)
    if result.bound is not None and GOLDEN[name].optimum is not None:
        assert result.bound <= GOLDEN[name].optimum


@every_solver
@pytest.mark.parametrize("name", ["a layer on each node", "a server and a shared layer"])
def test_a_warm_start_is_never_made_worse(solver: str, name: str) -> None:
    best = brute(GOLDEN[name].document)
    assert best is not None
    warm = SolveLimits(warm_start=Plan.from_document(best.plan))
    result = SOLVERS[solver].solve(problem_of(name), warm)
    assert result.objective == pytest.approx(float(best.objective))
    assert result.solver.options["warm_start"] == "accepted"


@every_solver
def test_a_warm_start_that_breaks_a_rule_is_repaired_and_said_to_be(solver: str) -> None:
    wrong = Plan.from_document({"stages": [{"node": "p", "layers": ["a", "b", "c"]}]})
    result = SOLVERS[solver].solve(problem_of("a layer on each node"), SolveLimits(warm_start=wrong))
    assert str(result.solver.options["warm_start"]).startswith("repaired: node p needs 480 bytes")
    assert result.objective is not None


@every_solver
def test_a_warm_start_that_cannot_be_repaired_is_said_to_be_rejected(solver: str) -> None:
    wrong = Plan.from_document({"stages": [{"node": "p", "layers": ["a", "b", "c"]}]})
    alone = LayerAssignment.from_document(document(nodes=[node("p", memory_bytes=479)]))
    result = SOLVERS[solver].solve(alone, SolveLimits(warm_start=wrong))
    assert str(result.solver.options["warm_start"]).startswith("rejected: node p needs 480 bytes")


@pytest.mark.parametrize("name", FEASIBLE)
def test_auto_solves_small_instances_to_the_optimum(name: str) -> None:
    result = edgeplan.solve(problem_of(name), workers=2)
    assert result.objective == pytest.approx(GOLDEN[name].optimum)
    assert "states" in str(result.solver.options["auto"])
