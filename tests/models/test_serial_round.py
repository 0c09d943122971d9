"""Equations (6) to (8) of whole rounds, by hand.

Three layers of 10 parameters, of which a node trains one: F of all 3, I of those behind, W of 1. At one
FLOP a second a stage computes 3 + 2 + 1 = 6 s with a, 3 + 1 + 1 = 5 s with b and 3 + 0 + 1 = 4 s with
c. Weights have 4 bytes, so 80 bytes bring a node of one layer up to date: 640 bit.
"""

from __future__ import annotations

from typing import Any

import pytest
from small_instances import node, plan, problem

from edgeplan.models.layer_assignment import LayerAssignment, Plan

ONE_EACH = plan("p:a", "q:b", "r:c")


def times(given: LayerAssignment, stages: Plan) -> list[tuple[float | None, float | None]]:
    return [(stage["start_s"], stage["end_s"]) for stage in given.metrics(stages)["stages"]]


def nodes(**of_q: Any) -> list[dict[str, Any]]:
    """Nodes p, q, r; q has figures of its own."""
    return [node("p"), node("q", **of_q), node("r")]


def test_stages_follow_one_another_and_the_round_is_a_cycle() -> None:
    given = problem(nodes=[node(name, uplink_bit_per_s=320) for name in "pqr"])
    # two seconds for 640 bit, the first from r
    assert times(given, ONE_EACH) == [(0, 8), (8, 15), (15, 21)]
    metrics = given.metrics(ONE_EACH)
    assert (metrics["time_s"], metrics["bottleneck_s"], metrics["bytes_moved"]) == (21, 6, 240)
    assert given.objective(ONE_EACH) == 21


def test_the_first_transfer_comes_from_the_last_node() -> None:
    given = problem(nodes=[node("p"), node("q"), node("r", uplink_bit_per_s=64)])
    assert [stage["transfer_in_s"] for stage in given.metrics(ONE_EACH)["stages"]] == [10, 0, 0]


def test_one_stage_in_peer_mode_moves_nothing() -> None:
    given = problem(nodes=[node("p", uplink_bit_per_s=1, latency_s=5)])
    metrics = given.metrics(plan("p:abc"))
    assert (metrics["time_s"], metrics["bytes_moved"]) == (3 + 2 + 3, 0)


def test_one_stage_with_a_server_moves_both_ways() -> None:
    given = problem(
        nodes=[node("p", latency_s=1), node("s", uplink_bit_per_s=100, downlink_bit_per_s=480)],
        transport="server",
        server="s",
    )
    (stage,) = given.metrics(plan("p:abc"))["stages"]
    # nothing but its own run changed: 0 bytes take the latency; 30 * 4 bytes return, 960 bit
    assert (stage["bytes_in"], stage["transfer_in_s"]) == (0, 1)
    assert (stage["bytes_out"], stage["transfer_out_s"]) == (120, 1 + 2)
    assert stage["end_s"] == 1 + 8 + 3


def test_shared_layers_travel_with_every_visit_if_they_are_trained() -> None:
    shared = problem(shared_layers=["a"], transport="server", server="r")
    frozen = shared.replace(train_shared=False)
    stages = plan("p:b", "q:c")
    assert [(s["bytes_in"], s["bytes_out"]) for s in shared.metrics(stages)["stages"]] == [(80, 80)] * 2
    assert [(s["bytes_in"], s["bytes_out"]) for s in frozen.metrics(stages)["stages"]] == [(40, 40)] * 2


def test_computing_waits_for_the_window_and_the_rest_of_the_round_waits_with_it() -> None:
    given = problem(nodes=nodes(available_s=[[0, 4], [10, 100]]))
    assert times(given, ONE_EACH) == [(0, 6), (6, 15), (15, 19)]


def test_computing_fits_one_window_and_is_never_split_over_two() -> None:
    given = problem(nodes=nodes(available_s=[[6, 10], [10, 14], [20, 25]]))
    assert times(given, ONE_EACH)[1] == (6, 25)


def test_transfers_are_not_bound_to_windows() -> None:
    given = problem(nodes=[node("p", uplink_bit_per_s=64), node("q", available_s=[[16, 21]]), node("r")])
    # q's transfer in takes 10 s from 6 s on, outside its window
    assert times(given, ONE_EACH)[1] == (6, 21)


def test_a_window_holds_within_the_tolerance_of_its_end() -> None:
    assert problem(nodes=nodes(available_s=[[6, 11 - 1e-9]])).violations(ONE_EACH) == ()
    assert problem(nodes=nodes(available_s=[[6, 11 - 1e-6]])).violations(ONE_EACH) != ()


def test_from_a_missed_window_on_times_are_unknown_and_the_rest_is_told() -> None:
    given = problem(nodes=nodes(available_s=[]), objective={"energy_j": 1})
    metrics = given.metrics(ONE_EACH)
    assert times(given, ONE_EACH) == [(0, 6), (6, None), (None, None)]
    assert (metrics["time_s"], metrics["bottleneck_s"], metrics["bytes_moved"]) == (None, 6, 240)
    assert given.objective(ONE_EACH) == 0
    assert given.replace(objective={"time_s": 1}).objective(ONE_EACH) is None


def test_energy_is_computing_and_what_the_sender_spends() -> None:
    given = problem(
        nodes=[
            node("p", compute_power_w=2, transmit_power_w=10, uplink_bit_per_s=640),
            node("q", compute_power_w=3, transmit_power_w=100, uplink_bit_per_s=320),
            node("r", compute_power_w=5, transmit_power_w=1000, uplink_bit_per_s=160),
        ]
    )
    # r sends to p for 4 s, p to q for 1 s, q to r for 2 s
    assert given.metrics(ONE_EACH)["energy_j"] == 2 * 6 + 3 * 5 + 5 * 4 + 1000 * 4 + 10 * 1 + 100 * 2


def test_both_ends_of_a_transfer_are_paid() -> None:
    prices = {"p": 1, "q": 10, "r": 100}
    rates = {"p": 640, "q": 320, "r": 160}
    given = problem(
        nodes=[node(name, price_per_s=prices[name], uplink_bit_per_s=rates[name]) for name in "pqr"]
    )
    computing, transfers = 6 * 1 + 5 * 10 + 4 * 100, 4 * (100 + 1) + 1 * (1 + 10) + 2 * (10 + 100)
    assert given.metrics(ONE_EACH)["price"] == computing + transfers


def test_the_server_pays_for_its_transfers_too() -> None:
    server = node("s", price_per_s=7, transmit_power_w=11, latency_s=0.5, compute_power_w=1000)
    given = problem(
        nodes=[node("p", price_per_s=3, transmit_power_w=13), node("q"), server],
        transport="server",
        server="s",
    )
    metrics = given.metrics(plan("p:ab", "q:c"))
    # four transfers of 0.5 s, two of them sent by the server; p computes 3 + 2 + 2 s
    assert metrics["price"] == pytest.approx(3 * 7 + 7 * 4 * 0.5 + 3 * 2 * 0.5)
    assert metrics["energy_j"] == pytest.approx(11 * 2 * 0.5 + 13 * 0.5)
    assert metrics["time_s"] == pytest.approx(7 + 4 + 4 * 0.5)


def test_the_objective_weighs_its_four_terms() -> None:
    given = problem(
        nodes=[node("p", compute_power_w=2, price_per_s=3), node("q"), node("r")],
        objective={"time_s": 1, "energy_j": 10, "price": 100, "bottleneck_s": 1000},
    )
    assert given.objective(ONE_EACH) == 15 + 10 * 12 + 100 * 18 + 1000 * 6


def test_a_weight_left_out_is_zero() -> None:
    assert problem(objective={"bottleneck_s": 2}).objective(ONE_EACH) == 12


def test_latencies_without_bytes_are_paid_by_a_node_that_owns_everything_that_changed() -> None:
    given = problem(
        "ab",
        nodes=[node("p", latency_s=1), node("q", latency_s=1)],
        training={"batch_size": 1, "weight_bytes": 0, "gradient_bytes": 0, "optimizer_bytes": 0},
    )
    # F of both, I behind, W of one: 4 s with a, 3 s with b; two transfers of 2 s
    assert given.objective(plan("p:a", "q:b")) == 4 + 3 + 2 * 2
