"""``edgeplan profile``: counted and weighed FLOPs, and seconds beside them."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("torch")

from command_line import CommandLine

MEASURED = ("--batch-size", "2", "--repeats", "1")
KINDS = ("forward_flops", "input_gradient_flops", "weight_gradient_flops")


def test_weighed_flops_are_as_many_as_counted_ones(edgeplan: CommandLine) -> None:
    counted = json.loads(edgeplan("profile", "digits-vgg").out)["layers"]
    called = edgeplan("profile", "digits-vgg", "--weigh", *MEASURED)
    weighed = json.loads(called.out)["layers"]
    assert called.code == 0
    totals = [sum(layer[kind] for layer in layers for kind in KINDS) for layers in (counted, weighed)]
    assert abs(totals[1] - totals[0]) <= len(KINDS) * len(counted)
    assert [layer[KINDS[0]] for layer in weighed] != [layer[KINDS[0]] for layer in counted]
    assert [{**layer, **dict.fromkeys(KINDS, 0)} for layer in weighed] == [
        {**layer, **dict.fromkeys(KINDS, 0)} for layer in counted
    ]


def test_measured_seconds_stand_beside_the_model(edgeplan: CommandLine) -> None:
    called = edgeplan("profile", "digits-vgg", "--measure", "--node-type", "board", *MEASURED)
    document = json.loads(called.out)
    assert called.code == 0
    assert list(document["timings"]["board"]) == [layer["name"] for layer in document["model"]["layers"]]


def test_a_node_type_that_would_be_a_note_is_refused(edgeplan: CommandLine) -> None:
    called = edgeplan("profile", "digits-vgg", "--measure", "--node-type", "x-board")
    assert called.code == 2
    assert "--node-type: x-board: must not begin with x-" in called.err
