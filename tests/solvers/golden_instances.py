"""Small instances with their optima; where each value comes from stands beside it.

A layer has 10 parameters of 4 bytes and F = I = W = 1; a node of one FLOP a second that owns a of abc
computes 6 s, b 5 s, c 4 s, ab 7 s, bc 6 s and abc 8 s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from small_instances import document, layer, node

Document = dict[str, Any]


@dataclass(frozen=True)
class Golden:
    """An instance and its optimum, None where no plan exists."""

    document: Document
    optimum: float | None


def _timed() -> Document:
    given = document("abc", [node("p", type="pi"), node("q", flops_per_s=2)])
    given["network"]["timings"] = {"pi": {name: {"forward_s": 0.5, "backward_s": 0.25} for name in "abc"}}
    return given


_HUB = {"transport": "server", "server": "s"}
_TRAINING = {"batch_size": 1, "weight_bytes": 4, "gradient_bytes": 4, "optimizer_bytes": 8}


def _pipeline(*args: Any, micro_batches: int = 1, pass_: str = "training", **members: Any) -> Document:
    """A pipeline of one sample a micro-batch: a layer takes 3 s on a node of one FLOP a second, or 1 s."""
    training = _TRAINING | {"batch_size": micro_batches, "pass": pass_}
    return document(*args, schedule="pipeline", micro_batches=micro_batches, training=training, **members)


def _in_flight(**members: Any) -> Document:
    """Two layers that leave 100 bytes a micro-batch, the first twice the work; q is fast and small."""
    layers = [
        layer("a", saved_bytes=100, forward_flops=2, input_gradient_flops=2, weight_gradient_flops=2),
        layer("b", saved_bytes=100),
    ]
    nodes = [node("p", memory_bytes=360), node("q", memory_bytes=260, flops_per_s=2)]
    return _pipeline(layers, nodes, micro_batches=2, **members)


def _links(**members: Any) -> Document:
    """Two layers on two nodes, 40 bytes between them at 80 bit/s: 4 s each way."""
    layers = [layer("a", output_bytes=40), layer("b")]
    nodes = [node(name, uplink_bit_per_s=80) for name in "pq"]
    return _pipeline(layers, nodes, **{"limits": {"max_layers_per_node": 1}} | members)


def _skip() -> Document:
    """The last layer reads both others: 20 bytes cross the first cut, 20 + 10 the second, at 80 bit/s."""
    layers = [layer("a", output_bytes=20), layer("b", output_bytes=10), layer("c", inputs=["b", "a"])]
    nodes = [node(name, uplink_bit_per_s=80) for name in "pq"]
    return _pipeline(layers, nodes, pass_="inference", limits={"max_layers_per_node": 2})


GOLDEN: dict[str, Golden] = {
    # all on one node, F of 3, I of 2, W of 3
    "one node": Golden(document("abc", "p"), 8),
    "the fastest node alone": Golden(document("abc", [node("p"), node("q", flops_per_s=4)]), 2),
    # 240 bytes hold one layer: 6 + 5 + 4 s, and 640 bit take 1 s from p, 2 s from q, 4 s from r
    "a layer on each node": Golden(
        document(
            nodes=[
                node("p", memory_bytes=240, uplink_bit_per_s=640),
                node("q", memory_bytes=240, uplink_bit_per_s=320),
                node("r", memory_bytes=240, uplink_bit_per_s=160),
            ]
        ),
        15 + 7,
    ),
    # p holds two layers, 4 * 10 + 16 * 20 = 360 bytes; ab on p and c on q, 7 + 4 s
    "two layers fit": Golden(document(nodes=[node("p", memory_bytes=360), node("q", memory_bytes=359)]), 11),
    # a on p at 6 s; q opens at 10 s for bc, 6 s; p has not room for more before its window closes
    "a window to wait for": Golden(
        document(nodes=[node("p", available_s=[[0, 6]]), node("q", available_s=[[10, 16]])]), 16
    ),
    # q first would take ab 7 / 2 s and c 4 s; the order given leaves a on p, 6 s, and bc on q, 6 / 2 s
    "nodes in given order": Golden(
        document(
            nodes=[node("p"), node("q", flops_per_s=2)],
            node_order="given",
            limits={"max_layers_per_node": 2},
        ),
        9,
    ),
    # b only on r, c not on r: a on p or with b on r, c on p or q; ab on r 7 s, c on p 4 s
    "pins and forbids": Golden(document(pin={"b": "r"}, forbid=[["c", "r"]]), 11),
    # all on q: 40 bytes of the shared a in, 40 + 80 out: 320 + 960 bit; 8 s computing
    "a server and a shared layer": Golden(
        document(
            nodes=[node("p", flops_per_s=0.5), node("q"), node("s", uplink_bit_per_s=320)],
            shared_layers=["a"],
            **_HUB,
        ),
        8 + 1,
    ),
    # frozen a passes nothing on: F of 3, I of c, W of 2
    "a frozen shared layer": Golden(document(shared_layers=["a"], train_shared=False), 6),
    # all on p by measured timings: 3 * (0.5 + 0.25) s, and q would take 8 / 2 s
    "measured timings": Golden(_timed(), 2.25),
    # the time + 10 * the longest stage: a 6 and bc 6 s, against ab 7 and c 4 s, or abc 8 s
    "the bottleneck counts": Golden(document(objective={"time_s": 1, "bottleneck_s": 10}), 12 + 60),
    # p is free of charge and ten times as slow, at least 40 s with c alone; so all on q, 8 s
    "price against a deadline": Golden(
        document(
            nodes=[node("p", flops_per_s=0.1), node("q", price_per_s=3)],
            objective={"price": 1},
            limits={"deadline_s": 20},
        ),
        24,
    ),
    # 2 W * 8 s on q, which alone is within the budget
    "energy": Golden(
        document(
            nodes=[node("p", compute_power_w=3), node("q", compute_power_w=2)],
            objective={"energy_j": 1},
            limits={"budget_energy_j": 16},
        ),
        16,
    ),
    # two of three nodes must hold 9 samples: q with 7 is needed; ab 7 s, c 4 s
    "samples": Golden(
        document(
            nodes=[node("p", samples=2), node("q", samples=7), node("r", samples=2)],
            limits={"min_samples": 9, "max_nodes": 2},
        ),
        11,
    ),
    "nothing costs anything": Golden(document(objective={"energy_j": 1}), 0),
    "latency of empty transfers": Golden(
        # 4 + 3 s with a layer each of two, and two transfers of 2 s
        document(
            [layer("a", parameters=0), layer("b", parameters=0)],
            [node("p", latency_s=1), node("q", latency_s=1)],
            limits={"min_nodes": 2},
        ),
        11,
    ),
    "no memory": Golden(document(nodes=[node(name, memory_bytes=239) for name in "pqr"]), None),
    "no memory and hardly any time": Golden(
        document(nodes=[node(name, memory_bytes=100, flops_per_s=1e300) for name in "pqr"]), None
    ),
    "too few nodes": Golden(document(nodes="pq", limits={"min_nodes": 3}), None),
    "more nodes than fit a short integer": Golden(document(limits={"min_nodes": 2**40}), None),
    "counts that contradict": Golden(document(limits={"min_nodes": 3, "max_nodes": 2}), None),
    "no window": Golden(document(nodes=[node("p", available_s=[]), node("q", available_s=[[0, 3]])]), None),
    "a deadline too early": Golden(document(limits={"deadline_s": 7.9}), None),
    "only the server is left": Golden(document(nodes=[node("s")], **_HUB), None),
    # 3 s for each of three layers, 160 bytes of state each, and one more micro-batch behind
    "a pipeline of three": Golden(
        _pipeline(nodes=[node(name, memory_bytes=160) for name in "pqr"], micro_batches=2), 9 + 3
    ),
    # alone 9 s for each of two micro-batches; a layer each 9 + 3 s; one apart 9 + 6 s
    "a pipeline is shorter than a node alone": Golden(_pipeline(micro_batches=2), 12),
    # F alone, 1 s a layer: 3 s and one more micro-batch of 1 s
    "inference": Golden(_pipeline(micro_batches=2, pass_="inference"), 4),
    # 4 s forward and 4 s back are longer than 3 s of computing
    "a link is the bottleneck": Golden(_links(objective={"bottleneck_s": 1}), 8),
    # 3 s of computing and 8 s of the link, one after the other
    "a link without overlap": Golden(_links(objective={"bottleneck_s": 1}, overlap=False), 11),
    # 3 + 8 + 3 s, and 3 more micro-batches of 8 s
    "a link and micro-batches": Golden(_links(micro_batches=4), 14 + 24),
    # the first of two stages holds two micro-batches, 160 + 200 bytes, the last one 160 + 100: so q is the
    # last, although it would be better with a: 6 + 1.5 s, and 6 s of the other micro-batch
    "in flight by position": Golden(_in_flight(), 13.5),
    # p, q and r hold a layer and two micro-batches, so none of them is third from the end: s first, with
    # two layers, 6 s
    "in flight by position on equal nodes": Golden(
        _pipeline(
            [layer(name, saved_bytes=100) for name in "abcd"],
            [*(node(name, memory_bytes=360) for name in "pqr"), node("s")],
            micro_batches=4,
            objective={"bottleneck_s": 1},
        ),
        6,
    ),
    "in flight all at once": Golden(_in_flight(in_flight="gpipe"), None),
    # cut behind a: 1 + 2 + 2 s; behind b a chain would take 3 + 1 s, here it takes 3 + 3 s
    "a skip connection": Golden(_skip(), 5),
    # free, q would take a in 3 s and p take b in 3 s
    "a pipeline in given order": Golden(
        _pipeline(
            [layer("a", forward_flops=4), layer("b")],
            [node("p"), node("q", flops_per_s=2)],
            node_order="given",
            objective={"bottleneck_s": 1},
            limits={"max_layers_per_node": 1},
        ),
        6,
    ),
    # the node named as server serves like any other: 9 s / 2
    "no server in a pipeline": Golden(_pipeline(nodes=[node("p"), node("s", flops_per_s=2)], **_HUB), 4.5),
    # (3 + 8) s at 1 and (3 + 8) s at 2: both ends pay for the link
    "both ends pay for a link": Golden(
        _links(objective={"price": 1})
        | {
            "network": {
                "nodes": [
                    node("p", uplink_bit_per_s=80, price_per_s=1),
                    node("q", uplink_bit_per_s=80, price_per_s=2),
                ]
            }
        },
        33,
    ),
    # 6 J of computing; p sends for 4 s at 10 W, gradients or activations
    "the sender pays for what it sends": Golden(
        _links(objective={"energy_j": 1})
        | {
            "network": {
                "nodes": [
                    node("p", uplink_bit_per_s=80, transmit_power_w=10, compute_power_w=1),
                    node("q", uplink_bit_per_s=80, compute_power_w=1),
                ]
            }
        },
        46,
    ),
    # 14 + 3 * 8 s are needed
    "a deadline too early for micro-batches": Golden(
        _links(micro_batches=4, limits={"max_layers_per_node": 1, "deadline_s": 37.9}), None
    ),
    "pins out of order": Golden(_pipeline("abc", "pq", pin={"a": "p", "c": "p", "b": "q"}), None),
}
