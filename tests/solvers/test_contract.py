"""What every registered solver keeps on every small instance; a new solver gets all of it by its name."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from contract_instances import INSTANCES, SmallInstance
from golden_instances import GOLDEN
from independent.evaluator import brute
from small_instances import document, node

import edgeplan
from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.problem import Problem
from edgeplan.models.result import OPTIMALITY_GAP, Result, Status, Stop
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.registry import solvers_of

EXACT = {
    "layer_assignment": ("cp-sat", "milp", "dp", "brute-force"),
    "sparse_update": ("lagrangian", "cp-sat", "milp"),
}
ROUNDING = 1e-9


def solves(instances: Iterable[SmallInstance], *, exact: bool = False) -> pytest.MarkDecorator:
    """Try these instances, each by every solver of its problem, or by the exact ones."""
    return pytest.mark.parametrize(
        ("instance", "solver"),
        [
            pytest.param(instance, solver, id=f"{instance}, {solver}")
            for instance in instances
            for solver in (EXACT[instance.problem] if exact else solvers_of(instance.problem))
        ],
    )


def named(problem: str, *names: str) -> list[SmallInstance]:
    return [SmallInstance(problem, name) for name in names]


def solve(problem: Problem, solver: str, **limits: Any) -> Result:
    return solvers_of(problem.name)[solver].solve(problem, SolveLimits(**limits))


@cache
def _solved(instance: SmallInstance, solver: str) -> tuple[Problem, Result]:
    given = instance.read()
    return given, solve(given, solver, time_limit_s=30, seed=1)


def solved(instance: SmallInstance, solver: str) -> Result:
    """The result of the one solve that most of these tests look at."""
    return _solved(instance, solver)[1]


@pytest.mark.parametrize("name", GOLDEN)
def test_the_golden_optimum_is_that_of_the_independent_brute_force(name: str) -> None:
    best = brute(GOLDEN[name].document)
    assert GOLDEN[name].optimum == (None if best is None else best.objective)


@solves(INSTANCES)
def test_a_plan_breaks_no_rule_and_has_the_objective_that_is_told(
    instance: SmallInstance, solver: str
) -> None:
    result, problem = solved(instance, solver), instance.read()
    if result.plan is None:
        return
    verdict = problem.check(problem.plan_from_document(result.plan))
    assert verdict.violations == ()
    assert (verdict.objective, verdict.metrics) == (result.objective, result.metrics)
    judged = instance.judged(result.plan)
    assert judged.feasible
    assert result.objective == pytest.approx(float(judged.objective))


@solves(INSTANCES)
def test_a_claim_of_optimality_is_the_optimum(instance: SmallInstance, solver: str) -> None:
    result = solved(instance, solver)
    if instance.optimum is None:
        assert result.status in (Status.INFEASIBLE, Status.NO_PLAN)
    else:
        assert result.status is not Status.INFEASIBLE
    if result.status is Status.OPTIMAL:
        assert result.objective == pytest.approx(instance.optimum, rel=OPTIMALITY_GAP)


@solves(INSTANCES)
def test_objective_and_bound_stand_on_their_sides_of_the_optimum(
    instance: SmallInstance, solver: str
) -> None:
    result, optimum = solved(instance, solver), instance.optimum
    if optimum is None:
        return
    sense = -1 if instance.read().maximises else 1
    if result.objective is not None:
        assert sense * (result.objective - optimum) >= -ROUNDING * abs(optimum)
    if result.bound is not None:
        assert sense * (result.bound - optimum) <= ROUNDING * abs(optimum)


@solves(INSTANCES, exact=True)
def test_an_exact_solver_proves_what_it_says_of_a_small_instance(
    instance: SmallInstance, solver: str
) -> None:
    result = solved(instance, solver)
    known = Status.INFEASIBLE if instance.optimum is None else Status.OPTIMAL
    assert (result.status, result.stop) == (known, Stop.PROOF)


@pytest.mark.parametrize("instance", named("layer_assignment", *GOLDEN), ids=str)
def test_the_heuristic_proves_nothing_and_has_no_bound(instance: SmallInstance) -> None:
    result = solved(instance, "heuristic")
    assert result.status in (Status.FEASIBLE, Status.NO_PLAN)
    assert result.bound is None


@solves(
    [one for one in INSTANCES if one.problem == "sparse_update" and one.name.startswith("no ")], exact=True
)
def test_an_infeasible_instance_has_conflicts_and_a_second_reason(
    instance: SmallInstance, solver: str
) -> None:
    result = solved(instance, solver)
    assert result.conflicts
    assert str(result.detail).startswith(
        "confirmed by HiGHS" if solver == "cp-sat" else "confirmed by CP-SAT"
    )


@solves(INSTANCES)
def test_the_same_seed_gives_the_same_plan(instance: SmallInstance, solver: str) -> None:
    again, first = solve(instance.read(), solver, time_limit_s=30, seed=1), solved(instance, solver)
    assert (again.plan, again.objective, again.status) == (first.plan, first.objective, first.status)
    assert again.conflicts == first.conflicts


@solves(INSTANCES)
def test_a_solver_leaves_the_instance_as_it_was(instance: SmallInstance, solver: str) -> None:
    (given, result), anew = _solved(instance, solver), instance.read()
    assert given.instance == anew.instance
    assert given.document == instance.document
    assert result.instance_sha256 == anew.instance_sha256


@solves(INSTANCES)
def test_a_result_survives_the_way_to_json_and_back(instance: SmallInstance, solver: str) -> None:
    result = solved(instance, solver)
    document = json.loads(json.dumps(result.to_document(), allow_nan=False))
    assert Result.model_validate(document) == result


@solves(INSTANCES)
def test_incumbents_get_better_and_end_in_the_result(instance: SmallInstance, solver: str) -> None:
    result, sense = solved(instance, solver), -1 if instance.read().maximises else 1
    for before, after in pairwise(result.incumbents):
        assert before.runtime_s <= after.runtime_s <= result.runtime_s
        if before.objective is not None:
            assert after.objective is not None
            assert sense * after.objective <= sense * before.objective
        if before.bound is not None:
            assert after.bound is not None
            assert sense * after.bound >= sense * before.bound
    if result.incumbents:
        assert result.incumbents[-1].objective == result.objective


@solves(
    named("layer_assignment", "a layer on each node", "a window to wait for", "no memory")
    + named("sparse_update", "two boards", "coverage and nesting of slices alone", "no memory for any depth")
)
def test_a_limit_that_has_passed_leaves_no_false_claim(instance: SmallInstance, solver: str) -> None:
    problem, optimum = instance.read(), instance.optimum
    result = solve(problem, solver, time_limit_s=1e-9)
    if result.status not in (Status.OPTIMAL, Status.INFEASIBLE):
        assert result.stop in (Stop.TIME_LIMIT, Stop.WORK_LIMIT)
    assert (result.status is Status.INFEASIBLE) <= (optimum is None)
    if result.bound is not None and optimum is not None:
        assert result.bound >= optimum if problem.maximises else result.bound <= optimum


@solves(
    named("layer_assignment", "a layer on each node", "a server and a shared layer")
    + named("sparse_update", "two boards", "nesting and a pin", "a general network and coverage by two")
)
def test_a_warm_start_is_never_made_worse(instance: SmallInstance, solver: str) -> None:
    problem, best = instance.read(), instance.best
    assert best is not None
    result = solve(problem, solver, warm_start=problem.plan_from_document(best[1]))
    assert result.objective == pytest.approx(best[0])
    assert result.solver.options["warm_start"] == "accepted"


ONE_NODE = {"stages": [{"node": "p", "layers": ["a", "b", "c"]}]}
EVERYTHING = {"depth": 2, "updates": [{"layer": "conv", "ratio": 1.0}, {"layer": "fc", "ratio": 1.0}]}
BREAKING = {
    SmallInstance("layer_assignment", "a layer on each node"): (ONE_NODE, "node p needs 480 bytes"),
    SmallInstance("sparse_update", "two boards"): (
        {"devices": [{"id": name, **EVERYTHING} for name in ("small", "large")]},
        "device small needs 2000 bytes",
    ),
}
"""Plans that break a rule, and how the first one broken is told."""


@solves(BREAKING)
def test_a_warm_start_that_breaks_a_rule_is_repaired_and_said_to_be(
    instance: SmallInstance, solver: str
) -> None:
    problem, (wrong, broken) = instance.read(), BREAKING[instance]
    result = solve(problem, solver, warm_start=problem.plan_from_document(wrong))
    assert str(result.solver.options["warm_start"]).startswith(f"repaired: {broken}")
    assert result.objective is not None


@pytest.mark.parametrize("solver", solvers_of("layer_assignment"))
def test_a_warm_start_that_cannot_be_repaired_is_said_to_be_rejected(solver: str) -> None:
    alone = LayerAssignment.from_document(document(nodes=[node("p", memory_bytes=479)]))
    result = solve(alone, solver, warm_start=alone.plan_from_document(ONE_NODE))
    assert str(result.solver.options["warm_start"]).startswith("rejected: node p needs 480 bytes")


@solves(named("sparse_update", "two boards"))
def test_a_warm_start_of_other_devices_is_said_to_be_rejected(instance: SmallInstance, solver: str) -> None:
    problem = instance.read()
    wrong = problem.plan_from_document({"devices": [{"id": "elsewhere", "depth": 0}]})
    result = solve(problem, solver, warm_start=wrong)
    assert str(result.solver.options["warm_start"]).startswith("rejected: device small is missing")


@pytest.mark.parametrize("name", [name for name, golden in GOLDEN.items() if golden.optimum is not None])
def test_auto_solves_small_instances_to_the_optimum(name: str) -> None:
    result = edgeplan.solve(SmallInstance("layer_assignment", name).read(), workers=2)
    assert result.objective == pytest.approx(GOLDEN[name].optimum)
    assert "states" in str(result.solver.options["auto"])
