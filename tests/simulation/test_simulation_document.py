"""The document of a simulation, its percentiles, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import small_segments
from played_problems import JITTER, drawn, played_out
from pydantic import ValidationError
from small_instances import document, node, plan, problem

import edgeplan as ep
from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.layer_assignment.examples import two_layers_two_nodes
from edgeplan.models.simulated import Simulation
from edgeplan.models.sparse_update.examples import two_layers_two_boards
from edgeplan.simulation import Churn, SimulationSettings
from edgeplan.simulation.summary import distribution, quantiles, share_above

STAGES = plan("p:a", "q:bc")


def test_percentiles_count_rounds_and_call_those_without_an_end_infinite() -> None:
    values = np.array([float(k) for k in range(1, 101)])
    ended = values <= 97
    found = distribution(values, ended)
    assert (found.least, found.p5, found.p50, found.p95, found.p99, found.largest) == (
        1,
        5,
        50,
        95,
        None,
        None,
    )
    assert found.mean == np.mean(values[:97])
    assert quantiles(values, [0.0, 0.005, 0.015, 1.0]) == [1.0, 1.0, 2.0, 100.0]


def test_rounds_that_end_at_the_deadline_keep_it() -> None:
    assert share_above(np.array([1.0, 2.0, 2.0 + 1e-6, np.inf]), 2.0) == 0.5
    assert share_above(np.array([1.0]), None) is None


def test_the_document_reads_back_strictly() -> None:
    simulation = ep.simulate(problem(), STAGES, rounds=50, jitter=["20%"], churn="5/1")
    written = json.loads(json.dumps(simulation.to_document()))
    assert Simulation.model_validate_json(json.dumps(written)) == simulation
    for change in ({"unknown": 1}, {"rounds_ended": -1}, {"quantiles_s": [1.0]}):
        with pytest.raises(ValidationError):
            Simulation.model_validate_json(json.dumps(written | change))


def test_a_simulation_says_what_it_was_asked() -> None:
    given = problem(limits={"deadline_s": 1e9})
    simulation = ep.simulate(given, STAGES, rounds=7, seed=3, jitter=["node=0.5"], churn="9/1", absent="skip")
    settings = simulation.settings
    assert (settings.rounds, settings.seed, settings.jitter.node, settings.absent) == (7, 3, 0.5, "skip")
    assert simulation.instance_sha256 == given.instance_sha256
    assert (simulation.deadline_s, simulation.above_deadline) == (1e9, 0.0)


def test_one_share_of_jitter_needs_no_list() -> None:
    one, listed = (ep.simulate(problem(), STAGES, rounds=5, jitter=given) for given in ("20%", ["20%"]))
    assert one.quantiles_s == listed.quantiles_s
    assert one.settings.jitter.compute == 0.2


def test_without_noise_every_percentile_is_the_prediction() -> None:
    simulation = ep.simulate(problem(), STAGES, rounds=20)
    time_s = simulation.predicted.time_s
    assert simulation.time_s.least == simulation.time_s.largest == time_s
    assert set(simulation.quantiles_s) == {time_s}
    assert simulation.settings.absent is None


def test_equal_seeds_give_equal_rounds_and_others_do_not() -> None:
    def times(seed: int) -> Any:
        return ep.simulate(problem(), STAGES, rounds=40, seed=seed, jitter=["20%"], churn="5/1").quantiles_s

    assert times(4) == times(4)
    assert times(4) != times(5)


@pytest.mark.parametrize("kind", ["serial", "pipeline", "segments", "updates"])
def test_the_first_rounds_are_the_same_however_many_follow(kind: str) -> None:
    for seed, given, stages in drawn(kind, range(12)):
        few, many = (
            played_out(given, stages, SimulationSettings(rounds, seed, JITTER, Churn(1.0, 0.3)))[1]
            for rounds in (5, 30)
        )
        assert few.time_s.tolist() == many.time_s[:5].tolist(), seed


def test_chunks_are_played_by_themselves_and_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = SimulationSettings(20, 1, JITTER)
    _, whole = played_out(problem(), STAGES, settings)
    monkeypatch.setattr("edgeplan.simulation.simulating.FLOATS_AT_A_TIME", 8 * 64)
    seen: list[int] = []
    chunked = ep.simulate(problem(), STAGES, rounds=20, seed=1, jitter=["20%"], on_rounds=seen.append)
    assert seen == [8, 16, 20]
    assert chunked.rounds_ended == 20
    _, parts = played_out(problem(), STAGES, settings)
    assert parts.time_s[:8].tolist() == whole.time_s[:8].tolist()
    assert set(parts.time_s[8:16]).isdisjoint(whole.time_s)


def test_noise_is_the_same_with_nodes_that_leave_as_without() -> None:
    seldom = Churn(1e12, 1e-9)
    for seed, given, stages in drawn("serial", range(20)):
        plain, churned = (
            played_out(given, stages, SimulationSettings(6, seed, JITTER, churn))[1]
            for churn in (None, seldom)
        )
        assert plain.time_s.tolist() == pytest.approx(churned.time_s.tolist(), rel=1e-9), seed


def test_a_substitute_spares_waiting_for_the_planned_node() -> None:
    given = LayerAssignment.from_document(document(nodes=[node(name) for name in "pqrstuvw"]))
    means = {
        absent: ep.simulate(given, STAGES, rounds=400, churn="100/50", absent=absent).time_s.mean
        for absent in ("wait", "replace", "skip")
    }
    assert means["skip"] < means["replace"] < means["wait"]


def test_a_round_whose_work_never_fits_between_losses_has_no_end() -> None:
    simulation = ep.simulate(problem(), STAGES, rounds=10, churn="0.01/0.01", deadline_s=5.0)
    assert (simulation.rounds_ended, simulation.time_s.mean, simulation.time_s.p50) == (0, None, None)
    assert simulation.above_deadline == 1.0
    assert set(simulation.quantiles_s) == {None}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"rounds": 0}, "--rounds 0: must be from 1 to 1000000"),
        ({"seed": -1}, "--seed -1: must be from 0 to 2147483647"),
        ({"deadline_s": float("nan")}, "--deadline nan: must be a finite number of seconds"),
        ({"jitter": ["speed=1"]}, "--jitter speed=1: must be a share"),
        ({"jitter": ["a lot"]}, "--jitter a lot: must be a share"),
        ({"jitter": ["-1%"]}, "--jitter -1%: must be a share"),
        ({"jitter": ["nan"]}, "--jitter nan: must be a share"),
        ({"churn": "60"}, "--churn 60: must be two numbers above 0"),
        ({"churn": "60/0"}, "--churn 60/0: must be two numbers above 0"),
        ({"churn": "60/inf"}, "--churn 60/inf: must be two numbers above 0"),
        ({"absent": "wait"}, "--absent wait: nobody is away without --churn"),
        ({"absent": "pray", "churn": "6/1"}, "--absent pray: must be wait or replace or skip for a plan of"),
        ({"local_steps": 2}, "--local-steps 2: says nothing about layer_assignment; leave it out"),
    ],
)
def test_settings_that_say_nothing_are_refused_in_a_line(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ep.UsageError) as refused:
        ep.simulate(problem(), STAGES, **options)
    (line,) = refused.value.lines()
    assert line.startswith(told)


def test_a_policy_that_a_kind_of_plan_does_not_have_is_refused() -> None:
    pipeline = problem(schedule="pipeline")
    boards = two_layers_two_boards()
    updates = boards.plan_from_document(
        {"devices": [{"id": name, "depth": 0} for name in ("small", "large")]}
    )
    for given, stages, absent in (
        (pipeline, STAGES, "replace"),
        (pipeline, STAGES, "skip"),
        (small_segments.problem(), small_segments.plan(), "replace"),
        (boards, updates, "replace"),
    ):
        with pytest.raises(ep.UsageError, match=f"--absent {absent}: must be "):
            ep.simulate(given, stages, churn="6/1", absent=absent)


def test_a_plan_that_breaks_a_rule_is_not_simulated() -> None:
    given = two_layers_two_nodes()
    everything = given.plan_from_document({"stages": [{"node": "fast", "layers": ["conv", "head"]}]})
    with pytest.raises(ep.UsageError, match=r"^/network/nodes/0/memory_bytes: .*; simulate a plan"):
        ep.simulate(given, everything)


def test_a_plan_of_another_problem_is_not_simulated() -> None:
    with pytest.raises(ep.UsageError, match="must be a plan of layer_assignment"):
        ep.simulate(problem(), small_segments.plan())


def test_steps_before_an_aggregation_count_in_full() -> None:
    boards = two_layers_two_boards()
    updates = boards.plan_from_document(
        {"devices": [{"id": name, "depth": 1} for name in ("small", "large")]}
    )
    cost = boards.cost(updates)
    slowest_s = max(device.step_s for device in cost.device_costs)
    simulation = ep.simulate(boards, updates, rounds=2, local_steps=5)
    assert simulation.time_s.p50 == pytest.approx(5 * slowest_s + cost.aggregation.seconds)
