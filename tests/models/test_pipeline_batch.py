"""Equations (9) to (11) of whole batches, by hand; the independent evaluator has to say the same.

Layers a, b, c have 10 parameters and F = I = W = 1 and hand on 10, 20 and 5 bytes a sample. A batch of 4
samples goes in N = 2 micro-batches of b = 2. At one FLOP a second a layer of its own takes t = 2 * 3 s.
After a there are 2 * 10 bytes to move, 160 bit, after b 2 * 20 bytes, 320 bit; p sends 160, q 80 and r
320 bit a second. One layer each: u is 160/160 + 160/80 = 3 s from p to q and 320/80 + 320/320 = 5 s from
q to r.
"""

from __future__ import annotations

from typing import Any

import pytest
from independent.evaluator import brute, evaluate
from small_instances import Document, document, layer, node, plan

from edgeplan.errors import InvalidInputError
from edgeplan.models.layer_assignment import LayerAssignment

CHAIN = [layer("a", output_bytes=10), layer("b", output_bytes=20), layer("c", output_bytes=5)]
SAVING = [given | {"saved_bytes": saved} for given, saved in zip(CHAIN, (100, 200, 300), strict=True)]
RATES = {"p": 160, "q": 80, "r": 320}
ONE_EACH = ("p:a", "q:b", "r:c")
TRAINING = {"batch_size": 4, "weight_bytes": 4, "gradient_bytes": 4, "optimizer_bytes": 8}
INFERENCE = TRAINING | {"pass": "inference"}


def nodes(**figures: dict[str, Any]) -> list[Document]:
    """Nodes p, q, r; each figure holds a value for each of them."""
    return [
        node(name, uplink_bit_per_s=rate) | {field: values[name] for field, values in figures.items()}
        for name, rate in RATES.items()
    ]


def pipeline(layers: Any = CHAIN, given: Any = None, **members: Any) -> Document:
    defaults: Document = {"schedule": "pipeline", "training": TRAINING, "micro_batches": 2}
    return document(layers, nodes() if given is None else given, **(defaults | members))


def judged(given: Document, *stages: str) -> Document:
    """Return metrics, rules and objective of a plan, on which package and evaluator agree."""
    drawn = plan(*stages)
    check, expected = LayerAssignment.from_document(given).check(drawn), evaluate(given, drawn.to_document())
    assert expected.metrics is not None
    assert check.metrics is not None
    for name, value in expected.metrics.items():
        if name != "stages":
            assert check.metrics[name] == pytest.approx(float(value), rel=1e-12)
    for shown, known in zip(check.metrics["stages"], expected.metrics["stages"], strict=True):
        assert shown == {
            key: value if isinstance(value, str) else pytest.approx(float(value), rel=1e-12)
            for key, value in known.items()
        }
    rules = {found.rule for found in check.violations}
    assert rules == {*expected.rules}
    return check.metrics | {"rules": rules, "objective": check.objective}


def of_stages(metrics: Document, field: str) -> list[Any]:
    return [stage[field] for stage in metrics["stages"]]


def test_a_batch_is_one_micro_batch_through_all_stages_and_the_rest_behind_the_slowest() -> None:
    metrics = judged(pipeline(), *ONE_EACH)
    # t 6 + 6 + 6, u 3 + 5, and one more micro-batch behind the largest of all
    assert (metrics["bottleneck_s"], metrics["time_s"], metrics["objective"]) == (6, 26 + 6, 32)


def test_without_overlap_a_stage_computes_and_moves_by_turns() -> None:
    metrics = judged(pipeline(overlap=False), *ONE_EACH)
    # p 6 + 3, q 3 + 6 + 5, r 5 + 6
    assert (metrics["bottleneck_s"], metrics["time_s"]) == (14, 26 + 14)


def test_a_link_can_be_the_bottleneck() -> None:
    slow = [node("p", uplink_bit_per_s=160), node("q", uplink_bit_per_s=40), node("r", uplink_bit_per_s=320)]
    metrics = judged(pipeline(given=slow, micro_batches=4), *ONE_EACH)
    # b = 1: t is 3 s; u is 80/160 + 80/40 = 2.5 s and 160/40 + 160/320 = 4.5 s
    assert (metrics["bottleneck_s"], metrics["time_s"]) == (4.5, 9 + 7 + 3 * 4.5)


def test_inference_goes_forward_only() -> None:
    metrics = judged(pipeline(training=INFERENCE), *ONE_EACH)
    # t is 2 s; u is 160/160 and 320/80
    assert (metrics["bottleneck_s"], metrics["time_s"]) == (4, 6 + 5 + 4)
    metrics = judged(pipeline(training=INFERENCE, overlap=False), *ONE_EACH)
    # p 2 + 1, q 1 + 2 + 4, r 4 + 2
    assert (metrics["bottleneck_s"], metrics["time_s"]) == (7, 6 + 5 + 7)


@pytest.mark.parametrize("overlap", [True, False])
def test_one_stage_moves_nothing_and_takes_its_micro_batches_one_after_another(overlap: bool) -> None:
    metrics = judged(pipeline(overlap=overlap, micro_batches=4), "q:abc")
    assert (metrics["time_s"], metrics["bottleneck_s"], metrics["bytes_moved"]) == (4 * 9, 9, 0)


def test_stages_show_the_whole_batch() -> None:
    metrics = judged(pipeline(), *ONE_EACH)
    assert of_stages(metrics, "start_s") == [0, 0, 0]
    assert of_stages(metrics, "end_s") == [32, 32, 32]
    assert of_stages(metrics, "compute_s") == [12, 12, 12]
    assert of_stages(metrics, "transfer_in_s") == [0, 6, 10]
    assert of_stages(metrics, "transfer_out_s") == [6, 10, 0]


def test_links_carry_activations_there_and_gradients_back() -> None:
    metrics = judged(pipeline(), *ONE_EACH)
    # N = 2 times 20 or 40 bytes, there and back
    assert of_stages(metrics, "bytes_in") == [0, 80, 160]
    assert of_stages(metrics, "bytes_out") == [80, 160, 0]
    assert metrics["bytes_moved"] == 240
    assert judged(pipeline(training=INFERENCE), *ONE_EACH)["bytes_moved"] == 120


def test_energy_is_computing_and_what_each_end_sends() -> None:
    powers = {
        "compute_power_w": {"p": 2, "q": 3, "r": 5},
        "transmit_power_w": {"p": 10, "q": 100, "r": 1000},
    }
    # p sends 1 s of activations, q 4 s of them and 2 s of gradients, r 1 s of gradients
    assert judged(pipeline(given=nodes(**powers)), *ONE_EACH)["energy_j"] == 2 * (60 + 10 + 600 + 1000)
    inference = judged(pipeline(given=nodes(**powers), training=INFERENCE), *ONE_EACH)
    assert inference["energy_j"] == 2 * (2 * 10 + 10 * 1 + 100 * 4)


def test_both_ends_of_a_link_are_paid_both_ways() -> None:
    prices = nodes(price_per_s={"p": 1, "q": 10, "r": 100})
    paid = 2 * (1 * (6 + 3) + 10 * (3 + 6 + 5) + 100 * (5 + 6))
    assert judged(pipeline(given=prices), *ONE_EACH)["price"] == paid
    assert judged(pipeline(given=prices, overlap=False), *ONE_EACH)["price"] == paid


def test_the_objective_weighs_all_four_terms() -> None:
    weights = {"time_s": 0.5, "energy_j": 2, "price": 3, "bottleneck_s": 100}
    given = nodes(compute_power_w=dict.fromkeys("pqr", 1), price_per_s=dict.fromkeys("pqr", 1))
    # energy 2 * 18 J, price 2 * (9 + 14 + 11)
    assert judged(pipeline(given=given, objective=weights), *ONE_EACH)["objective"] == 16 + 72 + 204 + 600


@pytest.mark.parametrize(
    ("members", "needs"),
    [
        # 16 * 10 + f * 2 * A + 2 * 2 * O*: O* is 10, 20, 20; f is min(2, 3), min(2, 2), min(2, 1)
        ({}, [160 + 400 + 40, 160 + 800 + 80, 160 + 600 + 80]),
        ({"in_flight": "1f1b"}, [600, 1040, 840]),
        ({"in_flight": "gpipe"}, [600, 1040, 160 + 1200 + 80]),
        # b = 1: f is min(4, 3), min(4, 2), 1
        ({"micro_batches": 4}, [160 + 300 + 20, 160 + 400 + 40, 160 + 300 + 40]),
        ({"micro_batches": 4, "in_flight": "gpipe"}, [160 + 400 + 20, 160 + 800 + 40, 160 + 1200 + 40]),
        # b = 4, one at a time
        ({"micro_batches": 1}, [160 + 400 + 80, 160 + 800 + 160, 160 + 1200 + 160]),
        ({"training": TRAINING | {"reserve_bytes": 7}}, [607, 1047, 847]),
        ({"training": INFERENCE | {"reserve_bytes": 7}}, [7 + 40 + 40, 7 + 40 + 80, 7 + 40 + 80]),
        ({"training": INFERENCE, "in_flight": "gpipe"}, [80, 120, 120]),
        # 0.25 * 10 is 2.5 bytes, of which a budget has to hold 3
        ({"training": INFERENCE | {"weight_bytes": 0.25}}, [43, 83, 83]),
    ],
)
def test_memory_holds_what_is_in_flight(members: Document, needs: list[int]) -> None:
    enough = dict(zip("pqr", needs, strict=True))
    metrics = judged(pipeline(SAVING, nodes(memory_bytes=enough), **members), *ONE_EACH)
    assert of_stages(metrics, "memory_bytes") == needs
    assert metrics["rules"] == set()
    for name, need in enough.items():
        short = nodes(memory_bytes=enough | {name: need - 1})
        assert judged(pipeline(SAVING, short, **members), *ONE_EACH)["rules"] == {"memory"}


def test_the_buffers_are_as_large_as_the_largest_tensor_in_or_out_of_a_stage() -> None:
    metrics = judged(pipeline(), "p:ab", "q:c")
    # weights and 2 * 2 * 20 each; the 20 bytes of q come from b
    assert of_stages(metrics, "memory_bytes") == [320 + 80, 160 + 80]


def test_a_last_stage_keeps_fewer_micro_batches_than_the_first() -> None:
    alike = [layer("a", saved_bytes=100), layer("b", saved_bytes=100)]
    tight = [node("p", memory_bytes=160 + 400), node("q", memory_bytes=160 + 200)]
    given = pipeline(alike, tight, limits={"min_nodes": 2})
    assert judged(given, "q:a", "p:b")["rules"] == {"memory"}
    best = brute(given)
    assert best is not None
    assert best.plan == plan("p:a", "q:b").to_document()
    assert brute(given | {"in_flight": "gpipe"}) is None


def test_a_skipped_tensor_passes_through_the_stages_between() -> None:
    figures: dict[str, tuple[int, list[str]]] = {
        "a": (1, ["input"]),
        "b": (2, ["a"]),
        "c": (4, ["input"]),
        "d": (8, ["a", "c"]),
    }
    layers = [layer(name, output_bytes=size, inputs=reads) for name, (size, reads) in figures.items()]
    given = pipeline(layers, [node(name) for name in "pqrs"], micro_batches=4)
    # b and d read a; b itself is read by none; d reads a and c
    assert of_stages(judged(given, "p:a", "q:b", "r:c", "s:d"), "bytes_out") == [8 * 1, 8 * 1, 8 * (1 + 4), 0]
    assert of_stages(judged(given, "p:abc", "s:d"), "bytes_out") == [8 * 5, 0]


def test_a_layer_without_inputs_reads_the_one_before_it() -> None:
    written = [given | {"inputs": [name]} for given, name in zip(CHAIN, ("input", "a", "b"), strict=True)]
    mixed = [CHAIN[0], CHAIN[1], CHAIN[2] | {"inputs": ["b", "a", "input"]}]
    assert judged(pipeline(written), *ONE_EACH) == judged(pipeline(), *ONE_EACH)
    assert of_stages(judged(pipeline(mixed), *ONE_EACH), "bytes_out") == [80, 8 * 30, 0]


def test_moving_nothing_takes_the_latency_each_way() -> None:
    layers = [layer("a", output_bytes=10), layer("b", inputs=["input"])]
    given = [node("p", latency_s=1, uplink_bit_per_s=1), node("q", latency_s=2)]
    metrics = judged(pipeline(layers, given), "p:a", "q:b")
    assert (of_stages(metrics, "transfer_in_s"), metrics["bytes_moved"]) == ([0, 2 * (3 + 3)], 0)
    metrics = judged(pipeline(layers, given, training=INFERENCE), "p:a", "q:b")
    assert of_stages(metrics, "transfer_in_s") == [0, 2 * 3]


def test_a_link_of_its_own_holds_in_its_direction_alone() -> None:
    given = pipeline()
    given["network"]["links"] = [{"source": "q", "target": "p", "latency_s": 0.5}]
    # to q at p's 160 bit/s, back in half a second
    assert of_stages(judged(given, *ONE_EACH), "transfer_out_s") == [2 * (1 + 0.5), 2 * 5, 0]


def test_measured_seconds_take_the_place_of_flops() -> None:
    given = pipeline(given=[node("p", type="pi"), node("q"), node("r")])
    given["network"]["timings"] = {"pi": {name: {"forward_s": 0.5, "backward_s": 0.25} for name in "abc"}}
    # N * b * (2 * 0.75) of ab on p, N * b * 3 of c on r
    assert of_stages(judged(given, "p:ab", "r:c"), "compute_s") == [6, 12]
    forward = given | {"training": INFERENCE}
    assert of_stages(judged(forward, "p:ab", "r:c"), "compute_s") == [4, 4]


@pytest.mark.parametrize(
    ("limit", "have"),
    [
        ("deadline_s", 32.0),
        ("budget_energy_j", 36.0),
        ("budget_price", 68.0),
        ("max_nodes", 3),
        ("max_layers_per_node", 1),
        ("min_nodes", 3),
        ("min_samples", 15),
    ],
)
def test_limits_hold_to_their_edge(limit: str, have: float) -> None:
    ones = dict.fromkeys("pqr", 1)
    given = nodes(compute_power_w=ones, price_per_s=ones, samples=dict.fromkeys("pqr", 5))
    assert judged(pipeline(given=given, limits={limit: have}), *ONE_EACH)["rules"] == set()
    beyond = have + 1 if limit.startswith("min") else have - 1 if isinstance(have, int) else have * (1 - 1e-8)
    if beyond:
        assert judged(pipeline(given=given, limits={limit: beyond}), *ONE_EACH)["rules"] == {limit}


def test_nodes_in_given_order_form_the_pipeline_in_that_order() -> None:
    given = pipeline(node_order="given")
    assert judged(given, *ONE_EACH)["rules"] == set()
    assert judged(given, "q:a", "r:bc")["rules"] == set()
    assert judged(given, "q:a", "p:b", "r:c")["rules"] == {"node_order"}


@pytest.mark.parametrize(
    "members",
    [
        {"transport": "server", "server": "q"},
        {"train_shared": False, "shared_layers": []},
        {"training": TRAINING | {"local_steps": 10, "frozen_weight_bytes": 100}},
    ],
)
def test_fields_of_the_serial_schedule_have_no_effect(members: Document) -> None:
    assert judged(pipeline(**members), *ONE_EACH) == judged(pipeline(), *ONE_EACH)


def test_windows_bind_no_stage_of_a_pipeline() -> None:
    windows = {"p": [[5, 6]], "q": [], "r": None}
    never = pipeline(given=nodes(available_s=windows))
    assert judged(never, *ONE_EACH) == judged(pipeline(), *ONE_EACH)


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"pin": {"a": "q"}, "transport": "server", "server": "q"}, "/pin/a"),
        ({"forbid": [["a", "q"]], "transport": "server", "server": "q"}, "/forbid/0/1"),
        ({"shared_layers": ["a"]}, "/shared_layers"),
        ({"micro_batches": 3}, "/micro_batches"),
        ({"server": "q"}, "/server"),
    ],
)
def test_what_does_not_go_together_is_refused(members: Document, pointer: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        LayerAssignment.from_document(pipeline(**members))
    assert [fault.pointer for fault in caught.value.faults] == [pointer]
