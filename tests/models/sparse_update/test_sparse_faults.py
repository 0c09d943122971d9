"""Faulty instances and broken plans are refused or judged, each at its place."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from edgeplan.errors import InvalidInputError, InvalidPlanError
from edgeplan.models.sparse_update import SparsePlan, SparseUpdate
from edgeplan.models.sparse_update.examples import two_layers_two_boards

Document = dict[str, Any]


def at(*path: str | int, value: Any) -> Callable[[Document], None]:
    """Set what stands at a path."""

    def change(document: Document) -> None:
        home: Any = document
        for part in path[:-1]:
            home = home[part]
        home[path[-1]] = value

    return change


def with_options(**second: Any) -> Callable[[Document], None]:
    """Give the first layer a second option, like its first but for some figures."""

    def change(document: Document) -> None:
        options = document["layers"][0]["options"]
        options[0]["ratio"] = 0.5
        options.append(options[0] | {"ratio": 1.0} | second)

    return change


NODE = {"flops_per_s": 1e9, "memory_bytes": 1}
FAULTS = {
    "no layer": (at("layers", value=[]), "/layers"),
    "no device": (at("devices", value=[]), "/devices"),
    "a layer's name twice": (at("layers", 1, "name", value="conv"), "/layers/1/name"),
    "a layer called input": (at("layers", 0, "name", value="input"), "/layers/0/name"),
    "a layer that is a note": (at("layers", 0, "name", value="x-1"), "/layers/0/name"),
    "a device twice": (at("devices", 1, "id", value="small"), "/devices/1/id"),
    "no memory": (at("devices", 0, "memory_bytes", value=0), "/devices/0/memory_bytes"),
    "no speed": (at("devices", 0, "flops_per_s", value=0), "/devices/0/flops_per_s"),
    "ratio 0": (at("layers", 0, "options", 0, "ratio", value=0), "/layers/0/options/0/ratio"),
    "a ratio above 1": (at("layers", 0, "options", 0, "ratio", value=1.5), "/layers/0/options/0/ratio"),
    "a ratio twice": (with_options(ratio=0.5), "/layers/0/options/1/ratio"),
    "ratios that fall": (with_options(ratio=0.25), "/layers/0/options/1/ratio"),
    "memory that falls": (with_options(memory_bytes=1), "/layers/0/options/1/memory_bytes"),
    "parameters that fall": (with_options(parameters=1), "/layers/0/options/1/parameters"),
    "FLOPs that fall": (
        with_options(weight_gradient_flops=0),
        "/layers/0/options/1/weight_gradient_flops",
    ),
    "a contribution below 0": (
        at("layers", 0, "options", 0, "contribution", value=-1),
        "/layers/0/options/0/contribution",
    ),
    "half a parameter": (
        at("layers", 0, "options", 0, "parameters", value=0.5),
        "/layers/0/options/0/parameters",
    ),
    "too few depths": (at("depth_contribution", value=[0.0, 0.1]), "/depth_contribution"),
    "a depth that is a word": (at("depth_contribution", 1, value="x"), "/depth_contribution/1"),
    "no latency": (at("network", value={"bit_per_s": 1.0}), "/network/latency_s"),
    "rate 0": (at("network", "bit_per_s", value=0), "/network/bit_per_s"),
    "a network that is a number": (at("network", value=3), "/network"),
    "a node that is no device": (
        at("network", value={"nodes": [{"id": i, **NODE} for i in ("small", "large", "other")]}),
        "/network/nodes/2/id",
    ),
    "a device that is no node": (
        at("network", value={"nodes": [{"id": "small", **NODE}]}),
        "/devices/1/id",
    ),
    "a link from nowhere": (
        at(
            "network",
            value={
                "nodes": [{"id": i, **NODE} for i in ("small", "large")],
                "links": [{"source": "other", "target": "small"}],
            },
        ),
        "/network/links/0/source",
    ),
    "batch size 0": (at("training", "batch_size", value=0), "/training/batch_size"),
    "coverage of no layer": (at("coverage", value={"layers": {"a/b": 1}}), "/coverage/layers/a~1b"),
    "coverage below 0": (at("coverage", value={"default": -1}), "/coverage/default"),
    "collectives of another kind": (at("collectives", value="some"), "/collectives"),
    "a weight below 0": (at("objective", "aggregation_s", value=-1), "/objective/aggregation_s"),
    "a pin of no device": (at("pin", value=[["other", "conv", 1.0]]), "/pin/0/0"),
    "a pin of no layer": (at("pin", value=[["small", "other", 1.0]]), "/pin/0/1"),
    "a pin to a ratio not offered": (at("pin", value=[["small", "conv", 0.5]]), "/pin/0/2"),
    "a pin twice": (at("pin", value=[["small", "conv", 1.0], ["small", "conv", 0]]), "/pin/1"),
    "a pin without a ratio": (at("pin", value=[["small", "conv"]]), "/pin/0/2"),
    "a forbidden layer that is none": (at("forbid", value=[["small", "other"]]), "/forbid/0/1"),
    "a forbidden device that is none": (at("forbid", value=[["other", "conv"]]), "/forbid/0/0"),
    "an unknown member": (at("fused", value=True), "/fused"),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_faulty_instance_is_refused_at_its_place(kind: str) -> None:
    change, pointer = FAULTS[kind]
    document = two_layers_two_boards().to_document()
    change(document)
    with pytest.raises(InvalidInputError) as caught:
        SparseUpdate.from_document(document)
    assert [fault.pointer for fault in caught.value.faults] == [pointer]


def test_all_faults_come_together() -> None:
    document = two_layers_two_boards().to_document()
    changes = [FAULTS[kind] for kind in ("no memory", "rate 0", "batch size 0", "a ratio above 1")]
    for change, _ in changes:
        change(document)
    with pytest.raises(InvalidInputError) as caught:
        SparseUpdate.from_document(document)
    assert {fault.pointer for fault in caught.value.faults} == {pointer for _, pointer in changes}


PLAN = {
    "devices": [{"id": "small", "depth": 1, "updates": []}, {"id": "large", "depth": 2, "updates": []}],
    "collectives": [],
}
PART = {"layer": "fc", "from": 0.0, "to": 1.0}
BROKEN = {
    "a device is missing": (at("devices", value=PLAN["devices"][:1]), "devices", "/plan/devices"),
    "a device is there twice": (
        at("devices", value=[*PLAN["devices"], PLAN["devices"][0]]),
        "devices",
        "/plan/devices/2/id",
    ),
    "a device is unknown": (at("devices", 0, "id", value="other"), "devices", "/plan/devices/0/id"),
    "too deep": (at("devices", 0, "depth", value=3), "depth", "/plan/devices/0/depth"),
    "an unknown layer": (
        at("devices", 0, "updates", value=[{"layer": "other", "ratio": 1.0}]),
        "unknown_layer",
        "/plan/devices/0/updates/0/layer",
    ),
    "a ratio not offered": (
        at("devices", 0, "updates", value=[{"layer": "fc", "ratio": 0.5}]),
        "unknown_ratio",
        "/plan/devices/0/updates/0/ratio",
    ),
    "two options of a layer": (
        at("devices", 0, "updates", value=[{"layer": "fc", "ratio": 1.0}] * 2),
        "one_option",
        "/plan/devices/0/updates/1/layer",
    ),
    "a collective of nobody": (
        at("collectives", value=[{"kind": "all_reduce", "members": [], "slices": []}]),
        "members",
        "/plan/collectives/0/members",
    ),
    "a root outside": (
        at("collectives", value=[{"kind": "broadcast", "root": "large", "members": ["small"], "slices": []}]),
        "root",
        "/plan/collectives/0/root",
    ),
    "a bias with ratios": (
        at(
            "collectives",
            value=[{"kind": "all_reduce", "members": ["small"], "slices": [PART | {"bias": True}]}],
        ),
        "slices",
        "/plan/collectives/0/slices/0",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_plan_has_no_figures(kind: str) -> None:
    change, rule, pointer = BROKEN[kind]
    document = copy.deepcopy(PLAN)
    change(document)
    problem, plan = two_layers_two_boards(), SparsePlan.from_document(document)
    check = problem.check(plan)
    assert (rule, pointer) in {(violation.rule, violation.pointer) for violation in check.violations}
    assert check.metrics is None
    with pytest.raises(InvalidPlanError):
        problem.objective(plan)


LIMITS = {
    "memory": (
        {},
        [{"layer": "fc", "ratio": 1.0}, {"layer": "conv", "ratio": 1.0}],
        2,
        "/devices/0/memory_bytes",
    ),
    "reach": ({}, [{"layer": "conv", "ratio": 1.0}], 1, "/plan/devices/0/updates/0"),
    "depth": ({"depth_contribution": [0.0, None, 0.2]}, [], 1, "/depth_contribution/1"),
    "coverage": ({"coverage": {"layers": {"fc": 2}}}, [], 1, "/coverage/layers/fc"),
    "nested": ({"nested": True}, [{"layer": "fc", "ratio": 1.0}], 1, "/nested"),
    "pin": ({"pin": [["small", "fc", 1.0]]}, [], 1, "/pin/0"),
    "forbid": ({"forbid": [["small", "fc"]]}, [{"layer": "fc", "ratio": 1.0}], 1, "/forbid/0"),
}


@pytest.mark.parametrize("rule", LIMITS)
def test_a_planted_violation_is_found(rule: str) -> None:
    members, updates, depth, pointer = LIMITS[rule]
    devices = [{"id": "small", "depth": depth, "updates": updates}, {"id": "large", "depth": 0}]
    check = two_layers_two_boards().replace(**members).check(SparsePlan.from_document({"devices": devices}))
    assert [(violation.rule, violation.pointer) for violation in check.violations] == [(rule, pointer)]
    assert check.metrics is not None


def test_a_step_that_takes_too_long_is_found() -> None:
    document = two_layers_two_boards().to_document()
    document["devices"][0]["max_step_s"] = 0.01
    devices = [{"id": "small", "depth": 0}, {"id": "large", "depth": 0}]
    check = SparseUpdate.from_document(document).check(SparsePlan.from_document({"devices": devices}))
    assert [violation.pointer for violation in check.violations] == ["/devices/0/max_step_s"]
