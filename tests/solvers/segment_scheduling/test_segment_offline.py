"""What no policy can beat: the offline bound against runs, policies that keep the budgets, and hand cases."""

from __future__ import annotations

import copy
import itertools
import math
import random
from typing import Any

import pytest
from independent.segment_enumeration import slot_optimum
from independent.segment_evaluator import Document, SegmentCase
from independent.segment_instances import random_plan
from judged_slots import feasible_documents, problem_of
from small_segments import problem as two_phones
from tier import cases

import edgeplan
from edgeplan.models.result import Result
from edgeplan.models.segment_scheduling import Queues, SegmentPlan, SegmentScheduling
from edgeplan.models.segment_scheduling.queues import budgets_j
from edgeplan.models.segment_scheduling.slot_cost import SlotCost
from edgeplan.solvers.segment_scheduling.offline import GAP, Multipliers, offline_bounds_s

SLOTS = 6
SEEDS = range(cases(commit=4, large=60))


def drawn(seed: int, slots: int = SLOTS) -> Document:
    return next(feasible_documents(2, 3, 4, 4, slots, first_seed=500_000 + 100 * seed))


def run(problem: SegmentScheduling) -> tuple[Result, list[SlotCost]]:
    result = edgeplan.solve(problem)
    assert result.plan is not None
    return result, problem.costs(SegmentPlan.from_document(result.plan))


def offline_bound_s(problem: SegmentScheduling, multipliers: Multipliers, **options: Any) -> float:
    bounds_s = offline_bounds_s(problem, multipliers, **options)
    return math.fsum(bounds_s) / len(bounds_s)


def mean_latency_s(costs: list[SlotCost]) -> float:
    return math.fsum(cost.latency_s for cost in costs) / len(costs)


def random_multipliers(rng: random.Random, problem: SegmentScheduling, size: float) -> Multipliers:
    names = budgets_j(problem.instance)
    energy = {name: rng.choice([0.0, size * rng.random()]) for name in names}
    return Multipliers(energy, rng.choice([0.0, size * rng.random()]))


def with_tradeoff(document: Document, tradeoff: float) -> SegmentScheduling:
    changed = copy.deepcopy(document)
    changed["control"]["tradeoff"] = tradeoff
    return problem_of(changed)


@pytest.mark.parametrize("seed", SEEDS)
def test_without_multipliers_the_bound_is_the_mean_of_the_shortest_slots(seed: int) -> None:
    """With no queues a slot's objective at V = 1 is its time alone."""
    document = drawn(seed, slots=3)
    problem = problem_of(document)
    free = Multipliers(dict.fromkeys(budgets_j(problem.instance), 0.0), 0.0)
    bound_s = offline_bound_s(problem, free)
    timed = copy.deepcopy(document)
    timed["control"]["tradeoff"], timed["initial_queues"] = 1.0, {}
    queues = SegmentCase(timed).first_queues()
    shortest = []
    for t in range(3):
        found = slot_optimum(timed, t, queues)
        assert found is not None
        shortest.append(found.objective)
    mean_s = sum(shortest) / 3
    assert mean_s * (1 - 2 * GAP) <= bound_s <= mean_s * (1 + 1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_bound_is_the_formula_of_the_specification(seed: int) -> None:
    """LB(l) = mean of min [T + sum l_k (E_k / budget_k - 1) + l_Z (G / noise_budget - 1)]."""
    rng, document = random.Random(f"formula {seed}"), drawn(seed, slots=2)
    problem = problem_of(document)
    multipliers = random_multipliers(rng, problem, 5.0)
    bound_s = offline_bound_s(problem, multipliers)
    priced, case = copy.deepcopy(document), SegmentCase(document)
    priced["control"]["tradeoff"] = 1.0  # then Q_k = l_k budget_k gives the weight l_k / budget_k
    queues = {name: price * case.budgets[name] for name, price in multipliers.energy.items()}
    queues["noise"] = multipliers.noise * document["control"]["noise_budget"]
    least = []
    for t in range(2):
        found = slot_optimum(priced, t, queues)
        assert found is not None
        least.append(found.objective)
    wanted_s = sum(least) / 2 - sum(multipliers.energy.values()) - multipliers.noise
    scale = sum(least) / 2
    assert wanted_s - 2 * GAP * scale <= bound_s <= wanted_s + 1e-9 * scale


@pytest.mark.parametrize("tradeoff", [0.1, 1.0, 30.0])
@pytest.mark.parametrize("seed", SEEDS)
def test_no_run_beats_the_bound_less_what_its_queues_have_grown(seed: int, tradeoff: float) -> None:
    problem = with_tradeoff(drawn(seed), tradeoff)
    _, costs = run(problem)
    rng = random.Random(f"run {seed} {tradeoff}")
    own = Multipliers.of_run(problem, costs)
    for multipliers in (own, random_multipliers(rng, problem, 3.0), random_multipliers(rng, problem, 0.1)):
        bound_s = offline_bound_s(problem, multipliers)
        spent_s = multipliers.of_queues(problem, problem.initial_queues, costs[-1].queues)
        assert mean_latency_s(costs) >= (bound_s - spent_s) * (1 - 1e-9) - 1e-9


@pytest.mark.parametrize("seed", SEEDS)
def test_no_random_plan_beats_the_bound_less_what_its_queues_have_grown(seed: int) -> None:
    document = drawn(seed)
    problem, rng = problem_of(document), random.Random(f"policies {seed}")
    tried = [random_multipliers(rng, problem, size) for size in (0.05, 0.5, 5.0)]
    bounds_s = [offline_bound_s(problem, multipliers) for multipliers in tried]
    for policy in range(10):
        plan = random_plan(1000 * seed + policy, document)
        assert plan is not None
        costs = problem.costs(SegmentPlan.from_document(plan))
        for multipliers, bound_s in zip(tried, bounds_s, strict=True):
            spent_s = multipliers.of_queues(problem, problem.initial_queues, costs[-1].queues)
            assert mean_latency_s(costs) >= (bound_s - spent_s) * (1 - 1e-9) - 1e-9


def keeping_budgets(document: Document, plan: SegmentPlan) -> SegmentScheduling:
    """Return the instance with budgets that this plan just keeps, whatever they were."""
    problem = problem_of(document)
    metrics, changed = problem.metrics(plan), copy.deepcopy(document)
    for cluster in changed["clusters"]:
        cluster["uplink_energy_budget_j"] = max(1e-9, metrics["mean_energy_j"][cluster["id"]])
        for device in cluster["devices"]:
            device["energy_budget_j"] = max(1e-9, metrics["mean_energy_j"][device["id"]])
    changed["control"]["noise_budget"] = metrics["mean_noise"]
    return problem_of(changed)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_policy_that_keeps_the_budgets_beats_the_bound(seed: int) -> None:
    """Policies: the controller's run with other trade-offs, and plans made at random; budgets are theirs."""
    document = drawn(seed)
    rng, plans = random.Random(f"keep {seed}"), [random_plan(1000 * seed + k, document) for k in range(2)]
    plans += [run(with_tradeoff(document, tradeoff))[0].plan for tradeoff in (0.1, 10.0)]
    for plan in map(SegmentPlan.from_document, plans):
        problem = keeping_budgets(document, plan)
        costs = problem.costs(plan)
        for size in (0.1, 2.0):
            bound_s = offline_bound_s(problem, random_multipliers(rng, problem, size))
            assert mean_latency_s(costs) >= bound_s * (1 - 1e-9) - 1e-9


def test_multipliers_of_a_run_are_the_mean_late_queues_in_budgets() -> None:
    document = drawn(0)
    problem = with_tradeoff(document, 4.0)
    _, costs = run(problem)
    multipliers = Multipliers.of_run(problem, costs)
    for name, budget in budgets_j(problem.instance).items():
        late = [cost.queues.energy_j[name] for cost in costs[SLOTS // 2 :]]
        assert multipliers.energy[name] == pytest.approx(sum(late) / len(late) / (4.0 * budget))
    late = [cost.queues.noise for cost in costs[SLOTS // 2 :]]
    noise_budget = problem.instance.control.noise_budget
    assert multipliers.noise == pytest.approx(sum(late) / len(late) / (4.0 * noise_budget))
    assert multipliers.total == pytest.approx(sum(multipliers.energy.values()) + multipliers.noise)


def test_what_the_queues_have_grown_is_counted_in_budgets_a_slot() -> None:
    problem = problem_of(drawn(0))
    names = [*budgets_j(problem.instance)]
    multipliers = Multipliers(dict.fromkeys(names, 0.0) | {names[0]: 2.0}, 3.0)
    start = Queues(dict.fromkeys(names, 1.0), 0.5)
    budget, noise_budget = budgets_j(problem.instance)[names[0]], problem.instance.control.noise_budget
    end = Queues(dict.fromkeys(names, 7.0) | {names[0]: 1.0 + 5 * SLOTS * budget}, 0.5 - SLOTS * noise_budget)
    assert multipliers.of_queues(problem, start, end) == pytest.approx(2.0 * 5 - 3.0)


def test_of_a_single_slot_the_bound_meets_what_its_own_multipliers_ask_for() -> None:
    """Where a slot is solved at the queues l V budget, LB(l) + sum l is its objective over V."""
    problem = two_phones()
    result = edgeplan.solve(problem)
    control, queues = problem.instance.control, problem.initial_queues
    energy = {
        name: queues.energy_j[name] / control.tradeoff / budget
        for name, budget in budgets_j(problem.instance).items()
    }
    multipliers = Multipliers(energy, queues.noise / control.tradeoff / control.noise_budget)
    bound_s = offline_bound_s(problem, multipliers)
    assert result.objective is not None
    wanted_s = result.objective / control.tradeoff - multipliers.total
    assert bound_s == pytest.approx(wanted_s, abs=2 * GAP * result.objective / control.tradeoff)
    assert bound_s <= wanted_s + 1e-9


def test_without_time_the_bound_is_poor_but_holds() -> None:
    problem = problem_of(drawn(1))
    multipliers = random_multipliers(random.Random(1), problem, 1.0)
    hurried, proven = (offline_bound_s(problem, multipliers, until=until) for until in (0.0, math.inf))
    assert math.isfinite(hurried)
    assert hurried <= proven + 1e-9


def test_two_workers_give_the_bound_of_one() -> None:
    problem = problem_of(drawn(2))
    multipliers = random_multipliers(random.Random(2), problem, 1.0)
    one, two = (offline_bound_s(problem, multipliers, workers=workers) for workers in (1, 2))
    assert one == pytest.approx(two, rel=2 * GAP)


def test_a_better_multiplier_than_none_shows_where_a_budget_binds() -> None:
    """With a budget of noise that only all micro-batches keep, the shortest slots are no plan."""
    document = drawn(3)
    training, control = document["training"], document["control"]
    training["max_micro_batches"] = 4
    least = control["noise_level"] / (training["micro_batch_size"] * 2 * 4)
    control["noise_budget"] = least * 1.0001
    problem = problem_of(document)
    free = dict.fromkeys(budgets_j(problem.instance), 0.0)
    bounds_s = [offline_bound_s(problem, Multipliers(free, price)) for price in (0.0, 1.0, 10.0, 100.0)]
    assert max(bounds_s) > bounds_s[0] * 1.01


def test_bounds_of_more_slots_of_the_same_gains_are_the_same() -> None:
    document = drawn(4, slots=2)
    case = SegmentCase(document)
    for part, names in (("d2d", case.devices), ("uplink", case.units)):
        document.setdefault("trace", {})[part] = {name: case.gains[name] for name in names}
    trace = document.pop("trace")
    bounds_s = []
    for repeats in (1, 3):
        longer = copy.deepcopy(document)
        longer["control"]["slots"] = 2 * repeats
        longer["channels"] = {"kind": "trace"} | {
            part: {name: gains * repeats for name, gains in trace[part].items()} for part in trace
        }
        problem = problem_of(longer)
        prices = itertools.repeat(0.3)
        energy = dict(zip(budgets_j(problem.instance), prices, strict=False))
        bounds_s.append(offline_bound_s(problem, Multipliers(energy, 0.3)))
    assert bounds_s[0] == pytest.approx(bounds_s[1], rel=2 * GAP)
