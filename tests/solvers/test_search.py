"""The course of a solve: plans are judged by the problem, and a solver's wrong claims raise."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from small_instances import node, plan, problem

import edgeplan
from edgeplan.errors import BackendError
from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.models.result import Incumbent, Result, SolverInfo, Status, Stop
from edgeplan.solvers.layer_assignment.search import Search, run_search
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.registry import solvers_of
from edgeplan.solvers.search import Ending, EnoughError

SOLVERS = solvers_of("layer_assignment")

BEST, WORSE = plan("p:abc"), plan("p:a", "q:b", "r:c")  # 8 s and 15 s


def course(body: Callable[[Search], Ending], **limits: float) -> Result:
    info = SolverInfo(name="made up", version="1")
    return run_search(body, problem(), SolveLimits(**limits), info, None)  # type: ignore[arg-type]


def offering(*plans: Plan, bound: float | None = None, stop: Stop = Stop.TIME_LIMIT) -> Result:
    def body(search: Search) -> Ending:
        for offered in plans:
            search.offer(offered)
        if bound is not None:
            search.tighten_bound(bound)
        return Ending(stop)

    return course(body)


def test_a_wrong_claim_of_an_objective_raises() -> None:
    with pytest.raises(BackendError, match=r"claims objective 8\.1, the problem says 8\.0"):
        Search(problem(), SolveLimits()).offer(BEST, claimed=8.1)


@pytest.mark.parametrize("claimed", [8.0, 8.0 * (1 + 9e-7), 8.0 * (1 - 9e-7)])
def test_a_claim_within_a_millionth_is_accepted(claimed: float) -> None:
    search = Search(problem(), SolveLimits())
    assert search.offer(BEST, claimed=claimed)
    assert search.objective == 8.0


def test_a_bound_above_the_objective_raises() -> None:
    with pytest.raises(BackendError, match=r"bound 8\.01 is above the objective 8\.0"):
        offering(BEST, bound=8.01)


def test_a_bound_above_the_objective_by_a_rounding_is_cut_to_it() -> None:
    assert offering(BEST, bound=8.0 + 1e-9).bound == 8.0


def test_an_objective_below_an_earlier_bound_raises() -> None:
    search = Search(problem(), SolveLimits())
    search.tighten_bound(9.0)
    with pytest.raises(BackendError, match="above the objective"):
        search.offer(BEST)


def test_a_denial_of_a_known_plan_raises() -> None:
    def body(search: Search) -> Ending:
        search.offer(BEST)
        return Ending(Stop.PROOF, infeasible=True)

    with pytest.raises(BackendError, match="denies the plan"):
        course(body)


def test_a_plan_that_breaks_a_rule_is_not_accepted() -> None:
    search = Search(problem(limits={"max_nodes": 2}), SolveLimits())
    assert not search.offer(WORSE)
    assert search.plan is None


def test_only_a_better_plan_takes_the_place_of_the_known_one() -> None:
    result = offering(BEST, WORSE, BEST)
    assert (result.objective, len(result.incumbents)) == (8.0, 1)


def test_a_lower_bound_does_not_take_the_place_of_a_higher_one() -> None:
    search = Search(problem(), SolveLimits())
    search.tighten_bound(5.0)
    search.tighten_bound(4.0)
    assert (search.bound, len(search.history)) == (5.0, 1)


@pytest.mark.parametrize(
    ("plans", "bound", "status", "stop"),
    [
        ((BEST,), 8.0, Status.OPTIMAL, Stop.PROOF),
        ((BEST,), 7.0, Status.FEASIBLE, Stop.TIME_LIMIT),
        ((BEST,), None, Status.FEASIBLE, Stop.TIME_LIMIT),
        ((), 7.0, Status.NO_PLAN, Stop.TIME_LIMIT),
    ],
)
def test_status_follows_from_what_is_known(
    plans: tuple[Plan, ...], bound: float | None, status: Status, stop: Stop
) -> None:
    result = offering(*plans, bound=bound)
    assert (result.status, result.stop, result.bound) == (status, stop, bound)


def test_an_error_without_a_plan_is_a_failure() -> None:
    assert offering(stop=Stop.ERROR).status is Status.FAILED


def test_the_gap_asked_for_ends_the_search() -> None:
    search = Search(problem(), SolveLimits(gap=0.5))
    search.offer(BEST)
    assert not search.is_done
    search.tighten_bound(4.0)
    assert search.is_done
    assert not search.is_proven


def needs_three_nodes() -> LayerAssignment:
    return problem(nodes=[node(name, memory_bytes=240, uplink_bit_per_s=160) for name in "pqr"])


@pytest.mark.parametrize("solver", SOLVERS)
def test_an_interrupt_returns_the_best_plan_so_far(solver: str) -> None:
    seen: list[Incumbent] = []

    def interrupt(incumbent: Incumbent) -> None:
        seen.append(incumbent)
        raise KeyboardInterrupt

    result = edgeplan.solve(needs_three_nodes(), solver, on_incumbent=interrupt)
    assert (result.status, result.stop) == (Status.FEASIBLE, Stop.INTERRUPT)
    assert result.objective == seen[0].objective
    assert needs_three_nodes().check(Plan.from_document(result.plan)).feasible


def test_the_caller_may_have_enough_with_the_first_plan() -> None:
    def enough(incumbent: Incumbent) -> None:
        raise EnoughError

    result = edgeplan.solve(needs_three_nodes(), "brute-force", on_incumbent=enough)
    assert (result.status, result.stop, len(result.incumbents)) == (Status.FEASIBLE, Stop.INTERRUPT, 1)


def test_the_conflict_is_only_looked_for_where_it_is_wanted() -> None:
    impossible = problem(limits={"min_nodes": 3, "max_nodes": 2})
    results = [SOLVERS["cp-sat"].solve(impossible, SolveLimits(blame=blame)) for blame in (False, True)]
    assert [result.status for result in results] == [Status.INFEASIBLE] * 2
    assert [len(result.conflicts) for result in results] == [0, 2]


def test_an_interrupt_before_any_plan_is_told_as_such() -> None:
    def body(search: Search) -> Ending:
        raise KeyboardInterrupt

    result = course(body)
    assert (result.status, result.stop, result.plan) == (Status.NO_PLAN, Stop.INTERRUPT, None)


@pytest.mark.parametrize("solver", SOLVERS)
def test_an_interrupt_at_the_warm_start_returns_it(solver: str) -> None:
    def interrupt(incumbent: Incumbent) -> None:
        raise KeyboardInterrupt

    warm = plan("p:a", "q:b", "r:c")
    try:
        result = edgeplan.solve(needs_three_nodes(), solver, warm_start=warm, on_incumbent=interrupt)
    except KeyboardInterrupt:
        pytest.fail("the interrupt is not caught")
    assert (result.stop, result.plan) == (Stop.INTERRUPT, warm.to_document())


@pytest.mark.parametrize("solver", SOLVERS)
def test_every_better_plan_and_bound_is_told_as_it_comes(solver: str) -> None:
    seen: list[Incumbent] = []
    result = edgeplan.solve(needs_three_nodes(), solver, on_incumbent=seen.append)
    assert tuple(seen) == result.incumbents
    assert seen
