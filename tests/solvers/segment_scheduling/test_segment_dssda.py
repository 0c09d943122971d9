"""A horizon solved by dssda: what its result says, how it ends, and what is kept when it ends early."""

from __future__ import annotations

import copy
import json
import math
from itertools import pairwise
from typing import Any

import pytest
from independent.segment_enumeration import slot_optimum
from independent.segment_evaluator import Document, SegmentCase, evaluate
from judged_slots import feasible_documents, problem_of
from tier import cases

import edgeplan
from edgeplan.models.result import Incumbent, Result, Status, Stop
from edgeplan.models.segment_scheduling import SegmentPlan, SegmentScheduling
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.search import EnoughError
from edgeplan.solvers.segment_scheduling.dssda import Dssda

SLOTS = 5
SEEDS = range(cases(commit=4, large=60))
CLOSE = 1e-6


def drawn(seed: int, slots: int = SLOTS) -> Document:
    return next(feasible_documents(2, 3, 4, 4, slots, first_seed=300_000 + 100 * seed))


def larger(slots: int = 1) -> SegmentScheduling:
    """A slot that needs many steps: three clusters of four devices and twelve blocks, some queues full."""
    from edgeplan.models.segment_scheduling.encoder import bert_like
    from edgeplan.models.segment_scheduling.generated import Size, generated

    document = generated(bert_like(12), Size(3, 4, 16, slots), seed=3)
    budgets = {
        device["id"]: device["energy_budget_j"]
        for cluster in document["clusters"]
        for device in cluster["devices"]
    }
    document["initial_queues"] = {name: 5 * budget for name, budget in budgets.items()}
    return SegmentScheduling.from_document(document)


def plan_of(result: Result) -> SegmentPlan:
    assert result.plan is not None
    return SegmentPlan.from_document(result.plan)


def is_whole(problem: SegmentScheduling, result: Result) -> bool:
    """Whether a result has a plan of all slots that keeps the rules, with bounds that add up."""
    check = edgeplan.check(problem, plan_of(result))
    assert result.objective is not None
    assert result.bound is not None
    bounds = (result.plan or {})["slot_bounds"]
    return (
        check.feasible
        and check.objective == result.objective
        and check.metrics == result.metrics
        and len(bounds) == problem.instance.control.slots
        and all(math.isfinite(bound) for bound in bounds)
        and math.isclose(result.bound, math.fsum(bounds), rel_tol=1e-9, abs_tol=1e-12)
        and result.bound <= result.objective
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_a_horizon_is_solved_slot_by_slot_with_proof(seed: int) -> None:
    document = drawn(seed)
    problem = problem_of(document)
    result = edgeplan.solve(problem)
    assert (result.status, result.stop, result.detail) == (Status.OPTIMAL, Stop.PROOF, None)
    assert is_whole(problem, result)
    assert result.metrics is not None
    assert result.plan is not None
    for slot, bound in zip(result.metrics["slots"], result.plan["slot_bounds"], strict=True):
        assert slot["objective"] * (1 - CLOSE) - 1e-12 <= bound <= slot["objective"]
    verdict = evaluate(document, result.plan)
    assert verdict.feasible
    assert verdict.objective == pytest.approx(result.objective, rel=1e-8)


@pytest.mark.parametrize("seed", range(cases(commit=2, large=40)))
def test_every_slot_of_a_horizon_is_the_optimum_for_the_queues_met(seed: int) -> None:
    document = next(feasible_documents(2, 2, 3, 3, 4, first_seed=400_000 + 100 * seed))
    result = edgeplan.solve(problem_of(document))
    assert result.metrics is not None
    queues = SegmentCase(document).first_queues()
    for t, slot in enumerate(result.metrics["slots"]):
        found = slot_optimum(document, t, queues)
        assert found is not None
        assert slot["objective"] == pytest.approx(found.objective, rel=CLOSE, abs=1e-12)
        queues = slot["queues"]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_result_goes_to_json_and_back(seed: int) -> None:
    problem = problem_of(drawn(seed))
    result = edgeplan.solve(problem)
    document = json.loads(json.dumps(result.to_document(), allow_nan=False))
    assert Result.model_validate(document) == result
    assert document["instance_sha256"] == problem.instance_sha256
    assert document["solver"]["name"] == "dssda"
    check = edgeplan.check(problem, problem.plan_from_document(document["plan"]))
    assert check.to_document()["objective"] == document["objective"]
    assert check.violations == ()


@pytest.mark.parametrize("seed", SEEDS)
def test_the_instance_and_the_limits_are_left_as_they_were(seed: int) -> None:
    problem = problem_of(drawn(seed))
    before = copy.deepcopy(problem.document)
    warm = plan_of(edgeplan.solve(problem))
    kept = warm.to_document()
    edgeplan.solve(problem, warm_start=warm)
    assert problem.document == before
    assert warm.to_document() == kept


@pytest.mark.parametrize("seed", SEEDS)
def test_neither_the_seed_nor_the_number_of_workers_changes_what_is_found(seed: int) -> None:
    problem = problem_of(drawn(seed))
    first = edgeplan.solve(problem)
    again = edgeplan.solve(problem)
    other = edgeplan.solve(problem, seed=11, workers=2)
    assert first.plan == again.plan
    assert first.objective is not None
    assert other.objective == pytest.approx(first.objective, rel=1e-9)
    assert (other.solver.seed, other.solver.workers) == (11, 2)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_gap_that_is_allowed_may_be_left_and_is_told(seed: int) -> None:
    problem = problem_of(drawn(seed))
    result, exact = edgeplan.solve(problem, gap=0.2), edgeplan.solve(problem)
    assert is_whole(problem, result)
    assert result.status in (Status.OPTIMAL, Status.FEASIBLE)
    assert result.stop is (Stop.PROOF if result.status is Status.OPTIMAL else Stop.GAP)
    assert result.metrics is not None
    assert exact.metrics is not None
    bounds = (result.plan or {})["slot_bounds"]
    for slot, bound in zip(result.metrics["slots"], bounds, strict=True):
        assert slot["objective"] - bound <= 0.2 * slot["objective"] * (1 + 1e-9)
    first, best = result.metrics["slots"][0]["objective"], exact.metrics["slots"][0]["objective"]
    assert bounds[0] <= best <= first * (1 + CLOSE)  # of the same queues


# ---- incumbents ----


@pytest.mark.parametrize("seed", SEEDS)
def test_of_a_horizon_the_sums_of_the_slots_are_told(seed: int) -> None:
    problem, told = problem_of(drawn(seed)), list[Incumbent]()
    result = edgeplan.solve(problem, on_incumbent=told.append)
    assert result.metrics is not None
    assert len(told) == SLOTS
    slots, bounds = result.metrics["slots"], (result.plan or {})["slot_bounds"]
    for count, incumbent in enumerate(told, start=1):
        objective = math.fsum(slot["objective"] for slot in slots[:count])
        assert incumbent.objective == pytest.approx(objective, rel=1e-9)
        assert incumbent.bound == pytest.approx(math.fsum(bounds[:count]), rel=1e-9, abs=1e-12)
    assert result.incumbents[-1].objective == result.objective


def test_of_a_single_slot_objectives_fall_and_bounds_rise() -> None:
    told: list[Incumbent] = []
    result = edgeplan.solve(larger(), on_incumbent=told.append)
    assert len(told) > 2
    for before, after in pairwise(told):
        assert before.runtime_s <= after.runtime_s
        assert before.objective is None or after.objective <= before.objective * (1 + 1e-12)
        assert before.bound is None or after.bound >= before.bound * (1 - 1e-12)
    assert told[-1].objective == pytest.approx(result.objective, rel=1e-9)
    assert result.incumbents[-1].objective == pytest.approx(result.objective, rel=1e-12)
    assert result.incumbents[-1].bound == pytest.approx(result.bound, rel=1e-12)


class Enough:
    """Counts incumbents, and raises from the k-th on, or at the k-th alone."""

    def __init__(self, k: int, error: type[BaseException], *, once: bool = False) -> None:
        self.k, self.error, self.once = k, error, once
        self.told: list[Incumbent] = []

    def __call__(self, incumbent: Incumbent) -> None:
        self.told.append(incumbent)
        if len(self.told) == self.k or (len(self.told) > self.k and not self.once):
            raise self.error


@pytest.mark.parametrize(
    ("error", "once"), [(EnoughError, True), (EnoughError, False), (KeyboardInterrupt, True)]
)
@pytest.mark.parametrize("k", [1, 3, SLOTS])
def test_enough_midway_still_gives_all_slots(k: int, once: bool, error: type[BaseException]) -> None:
    """The slots decided keep their proof, the others keep the structures of the one before."""
    problem, enough = problem_of(drawn(1)), Enough(k, error, once=once)
    result = edgeplan.solve(problem, on_incumbent=enough)
    assert result.plan is not None
    assert is_whole(problem, result)
    assert result.status in (Status.OPTIMAL, Status.FEASIBLE)
    assert result.status is Status.OPTIMAL or result.stop is Stop.INTERRUPT
    last = enough.told[k - 1]
    assert result.metrics is not None
    decided = math.fsum(slot["objective"] for slot in result.metrics["slots"][:k])
    assert decided == pytest.approx(last.objective, rel=1e-9)
    assert math.fsum(result.plan["slot_bounds"][:k]) == pytest.approx(last.bound, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("error", [EnoughError, KeyboardInterrupt])
@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_enough_within_a_slot_keeps_the_best_that_was_told(k: int, error: type[BaseException]) -> None:
    problem, enough = larger(), Enough(k, error)
    result = edgeplan.solve(problem, on_incumbent=enough)
    assert is_whole(problem, result)
    assert len(enough.told) >= k
    objectives = [each.objective for each in enough.told if each.objective is not None]
    bounds = [each.bound for each in enough.told if each.bound is not None]
    assert result.objective is not None
    assert result.bound is not None
    assert result.objective <= min(objectives) * (1 + 1e-9)
    assert result.bound >= max(bounds, default=-math.inf) * (1 - 1e-9)
    assert result.status is Status.OPTIMAL or result.stop is Stop.INTERRUPT


def test_an_error_of_the_caller_s_own_passes() -> None:
    with pytest.raises(ZeroDivisionError):
        edgeplan.solve(problem_of(drawn(0)), on_incumbent=Enough(2, ZeroDivisionError))


# ---- time ----


def in_time(problem: SegmentScheduling, time_limit_s: float, **limits: Any) -> Result:
    return Dssda().solve(problem, SolveLimits(time_limit_s=time_limit_s, **limits))


@pytest.mark.parametrize("time_limit_s", [1e-6, 0.01, 0.05, 0.2])
@pytest.mark.parametrize("slots", [1, 3, 40])
def test_with_little_time_there_is_a_sound_plan_with_a_bound_or_none_at_all(
    slots: int, time_limit_s: float
) -> None:
    problem = larger(slots)
    result = in_time(problem, time_limit_s)
    assert result.status in (Status.NO_PLAN, Status.FEASIBLE, Status.OPTIMAL)
    if result.status is Status.NO_PLAN:
        assert (result.stop, result.plan, result.bound) == (Stop.TIME_LIMIT, None, None)
        assert slots > 1
        assert "slots" in str(result.detail)
        return
    assert is_whole(problem, result)
    if result.status is Status.FEASIBLE:
        assert result.stop is Stop.TIME_LIMIT
        assert "not solved to the gap" in str(result.detail)


def test_a_single_slot_has_a_plan_however_little_time_there_is() -> None:
    problem = larger()
    result = in_time(problem, 1e-6)
    assert is_whole(problem, result)
    exact = edgeplan.solve(problem)
    assert exact.objective is not None
    assert exact.bound is not None
    assert result.objective is not None
    assert result.bound is not None
    assert result.bound <= exact.objective
    assert result.objective >= exact.bound


def test_time_that_ended_is_not_said_where_it_did_not() -> None:
    """What stops for another reason before its time says so, or is proven."""
    for seed in SEEDS:
        result = edgeplan.solve(problem_of(drawn(seed)), time_limit_s=600.0)
        assert result.stop is not Stop.TIME_LIMIT


# ---- warm starts ----


@pytest.mark.parametrize("seed", SEEDS)
def test_a_warm_start_is_never_made_worse_however_little_time_there_is(seed: int) -> None:
    problem = problem_of(drawn(seed, slots=1))
    best = edgeplan.solve(problem)
    assert best.objective is not None
    result = in_time(problem, 1e-6, warm_start=plan_of(best))
    assert result.objective is not None
    assert result.objective <= best.objective * (1 + CLOSE)
    assert "warm_start" in result.solver.options


@pytest.mark.parametrize("seed", SEEDS)
def test_a_warm_start_of_a_horizon_changes_nothing_but_the_way(seed: int) -> None:
    problem = problem_of(drawn(seed))
    first = edgeplan.solve(problem)
    again = edgeplan.solve(problem, warm_start=plan_of(first))
    assert again.status is Status.OPTIMAL
    assert first.objective is not None
    assert again.objective == pytest.approx(first.objective, rel=1e-4)


@pytest.mark.parametrize(
    "slots",
    [
        [],
        [{"clusters": []}],
        [{"clusters": [{"id": "ghost", "micro_batches": 1, "stages": [{"device": "x", "layers": ["y"]}]}]}],
        [{"clusters": [{"id": "c0", "skipped": True}]}] * 9,
        [{"clusters": [{"id": "c0", "micro_batches": 10**6, "stages": [{"device": "x", "layers": []}]}]}],
    ],
    ids=["none", "empty", "ghost", "too many", "too much"],
)
def test_a_warm_start_that_fits_nowhere_does_no_harm(slots: list[Document]) -> None:
    problem = problem_of(drawn(2))
    warm = SegmentPlan.from_document({"slots": slots})
    result, plain = edgeplan.solve(problem, warm_start=warm), edgeplan.solve(problem)
    assert result.status is Status.OPTIMAL
    assert result.objective == pytest.approx(plain.objective, rel=1e-4)


# ---- long horizons ----


def test_many_slots_are_all_proven() -> None:
    document = drawn(0, slots=cases(commit=40, large=1_000))
    problem = problem_of(document)
    result = in_time(problem, 600)
    assert result.status is Status.OPTIMAL, result.detail
    assert is_whole(problem, result)
    assert evaluate(document, result.plan or {}).feasible


def test_bounds_of_slots_are_not_said_to_be_the_whole_s_where_one_is_open() -> None:
    """The sum of the bounds can be close although a slot of little weight is far from proven."""
    problem = larger(3)
    for time_limit_s in (0.1, 0.15, 0.25, 0.4):
        result = in_time(problem, time_limit_s)
        if result.plan is None:
            continue
        assert result.metrics is not None
        open_slots = [
            slot["objective"] - bound > CLOSE * slot["objective"]
            for slot, bound in zip(result.metrics["slots"], result.plan["slot_bounds"], strict=True)
        ]
        assert (result.status is Status.OPTIMAL) <= (not any(open_slots))
