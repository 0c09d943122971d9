"""Pipelines played pass by pass beside equation (11), and the orders in which stages work."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import pytest
from played_problems import drawn, played_out

from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.simulation import SimulationSettings
from edgeplan.simulation.pipeline_order import Activity, PipelineOrder

ONCE = SimulationSettings(rounds=1)


def equal_stages(in_flight: str, stages: int, micro_batches: int, output_bytes: int) -> Any:
    """Stages of 2 s a micro-batch, links of as many seconds each way as an output has bytes."""
    layer = {"parameters": 1, "forward_flops": 1, "input_gradient_flops": 1, "weight_gradient_flops": 0}
    layer |= {"output_bytes": output_bytes, "saved_bytes": 0, "saved_frozen_bytes": 0}
    names = [f"layer.{k}" for k in range(stages)]
    document = {
        "format": "edgeplan/1",
        "problem": "layer_assignment",
        "model": {"layers": [{"name": name, **layer} for name in names]},
        "network": {
            "nodes": [
                {"id": f"n{k}", "flops_per_s": 1, "memory_bytes": 1000, "uplink_bit_per_s": 8}
                for k in range(stages)
            ]
        },
        "training": {
            "batch_size": micro_batches,
            "weight_bytes": 1,
            "gradient_bytes": 1,
            "optimizer_bytes": 1,
        },
        "schedule": "pipeline",
        "micro_batches": micro_batches,
        "in_flight": in_flight,
    }
    problem = LayerAssignment.from_document(document)
    plan = {"stages": [{"node": f"n{k}", "layers": [name]} for k, name in enumerate(names)]}
    return problem, problem.plan_from_document(plan)


def longest(replay: Any, direction: str) -> float:
    passes = [one[direction] for one in replay.pass_s]
    hops = [getattr(hop, f"{direction}_s") for hop in replay.hops]
    if replay.problem.instance.overlap:
        return max(passes + hops)
    around = [0.0, *hops, 0.0]
    return max(around[k] + one + around[k + 1] for k, one in enumerate(passes))


def test_inference_takes_exactly_the_time_of_equation_11() -> None:
    met = Counter[bool]()
    for seed, problem, plan in drawn("pipeline", range(400)):
        if problem.pipeline.is_training:
            continue
        replay, rounds = played_out(problem, plan, ONCE)
        assert rounds.time_s[0] == pytest.approx(replay.predicted.time_s, rel=1e-9), seed
        met[problem.instance.overlap] += 1
    assert min(met[False], met[True]) > 20


def test_gpipe_takes_its_two_bottlenecks_and_never_less_than_equation_11() -> None:
    longer = Counter[bool]()
    for seed, problem, plan in drawn("pipeline", range(600)):
        if not problem.pipeline.is_training or problem.instance.in_flight != "gpipe":
            continue
        replay, rounds = played_out(problem, plan, ONCE)
        filling_s = sum(sum(one.values()) for one in replay.pass_s) + sum(hop.seconds for hop in replay.hops)
        both_s = longest(replay, "forward") + longest(replay, "backward")
        expected_s = filling_s + (problem.instance.micro_batches - 1) * both_s
        assert rounds.time_s[0] == pytest.approx(expected_s, rel=1e-9), seed
        assert rounds.time_s[0] >= replay.predicted.time_s * (1 - 1e-9), seed
        longer[rounds.time_s[0] > replay.predicted.time_s * (1 + 1e-9)] += 1
    assert min(longer[False], longer[True]) > 5


def test_1f1b_takes_at_least_what_any_stage_and_those_before_it_take() -> None:
    met = Counter[str]()
    for seed, problem, plan in drawn("pipeline", range(600)):
        if not problem.pipeline.is_training or problem.instance.in_flight != "1f1b":
            continue
        replay, rounds = played_out(problem, plan, ONCE)
        before_s = 0.0
        for one, hop_s in zip(replay.pass_s, [hop.seconds for hop in replay.hops] + [0.0], strict=True):
            stage_s = sum(one.values())
            least_s = before_s + problem.instance.micro_batches * stage_s
            assert rounds.time_s[0] >= least_s * (1 - 1e-9), seed
            before_s += stage_s + hop_s
        ratio = rounds.time_s[0] / replay.predicted.time_s if replay.predicted.time_s else 1.0
        met["less" if ratio < 1 - 1e-9 else "more" if ratio > 1 + 1e-9 else "equal"] += 1
    assert min(met["less"], met["equal"], met["more"]) > 1, met


@pytest.mark.parametrize("in_flight", ["gpipe", "1f1b"])
def test_equal_stages_without_transfers_take_equation_11(in_flight: str) -> None:
    for stages, micro_batches in itertools.product((1, 2, 3, 5), (1, 2, 4, 7)):
        problem, plan = equal_stages(in_flight, stages, micro_batches, 0)
        replay, rounds = played_out(problem, plan, ONCE)
        assert rounds.time_s[0] == pytest.approx(replay.predicted.time_s, rel=1e-12)


def test_1f1b_does_not_hide_links_as_slow_as_stages_and_gpipe_does() -> None:
    # By hand: two micro-batches in flight go there and back in 6 s, so the last of 11 is back after 36 s.
    for in_flight, expected in (("gpipe", 26), ("1f1b", 36)):
        problem, plan = equal_stages(in_flight, 2, 11, 1)
        replay, rounds = played_out(problem, plan, ONCE)
        assert replay.predicted.time_s == 26
        assert rounds.time_s[0] == expected


@pytest.mark.parametrize("overlap", [True, False])
@pytest.mark.parametrize("in_flight", ["gpipe", "1f1b"])
def test_no_order_waits_for_itself_and_every_pass_is_done_once(in_flight: str, overlap: bool) -> None:
    for stages, micro_batches, training in itertools.product(range(1, 7), range(1, 9), (True, False)):
        order = PipelineOrder(stages, micro_batches, in_flight, training, overlap).activities()
        known: dict[Activity, int] = {}
        for position, (activity, before) in enumerate(order):
            assert all(one < position for one in before)
            known[activity] = position
        ways = 2 if training else 1
        assert len(known) == len(order) == ways * micro_batches * (2 * stages - 1)


def test_a_stage_of_1f1b_never_holds_more_than_equation_9_has_memory_for() -> None:
    stages, micro_batches = 5, 8
    held = Counter[int]()
    order = PipelineOrder(stages, micro_batches, "1f1b").activities()
    for activity, _ in order:
        if activity.target is None:
            held[activity.stage] += 1 if activity.direction == "forward" else -1
            assert held[activity.stage] <= min(micro_batches, stages - activity.stage)
