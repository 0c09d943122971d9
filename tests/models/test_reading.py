"""Faulty instances: every rule has its pointer, value and remedy, and all faults come at once."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from small_instances import changed, document, layer, node

from edgeplan.errors import InvalidInputError, UsageError
from edgeplan.models.document import parse
from edgeplan.models.faults import MAX_FAULTS
from edgeplan.models.layer_assignment.examples import two_layers_two_nodes
from edgeplan.models.problems import load, problem_from_document
from edgeplan.models.segment_scheduling.examples import two_blocks_two_phones


def faults(faulty: Any) -> dict[str, str]:
    """Rules by pointer of a document that must be refused."""
    with pytest.raises(InvalidInputError) as caught:
        problem_from_document(copy.deepcopy(faulty))
    assert all("\n" not in line for line in caught.value.lines())
    return {fault.pointer: str(fault) for fault in caught.value.faults}


COMPLETE = document(
    [layer("a", inputs=["input"]), layer("b", inputs=["a", "input"]), layer("c")],
    [
        node("p", type="pi", available_s=[[0, 5], [5, 9]], samples=3, label_counts=[1, 2]),
        node("q"),
        node("r"),
    ],
    name="complete",
    training={
        "batch_size": 4,
        "local_steps": 2,
        "pass": "training",
        "weight_bytes": 4,
        "frozen_weight_bytes": 0.5,
        "gradient_bytes": 4,
        "optimizer_bytes": 8,
        "reserve_bytes": 0,
    },
    shared_layers=["a"],
    train_shared=True,
    transport="server",
    server="r",
    micro_batches=2,
    in_flight="gpipe",
    overlap=False,
    node_order="given",
    objective={"time_s": 0.5, "price": 1},
    limits={"min_nodes": 1, "max_nodes": None, "deadline_s": 10.0},
    pin={"b": "p"},
    forbid=[["c", "p"]],
)
COMPLETE["network"] |= {
    "links": [{"source": "p", "target": "q", "bit_per_s": None}, {"source": "q", "target": "p"}],
    "timings": {"pi": {name: {"forward_s": 1, "backward_s": 2} for name in "abc"}},
}


def test_a_document_with_every_field_is_read() -> None:
    assert problem_from_document(copy.deepcopy(COMPLETE)).instance.pin == {"b": "p"}


SINGLE_FAULTS = [
    ("/format", "edgeplan/2", "must be 'edgeplan/1'"),
    (
        "/problem",
        "sorting",
        "must be 'layer_assignment' or 'segment_scheduling' or 'sparse_update'; name a known problem",
    ),
    ("/name", "", "must not be empty"),
    ("/name", 3, "must be a string"),
    ("/schedule", "sideways", "must be 'serial' or 'pipeline'"),
    ("/train_shared", 1, "must be true or false"),
    ("/model", [], "must be an object"),
    ("/model/layers", [], "must have at least 1 item"),
    ("/model/layers", {}, "must be an array"),
    ("/model/layers/1/name", "a", "layer name appears earlier"),
    ("/model/layers/1/name", "input", "stands for the model's input"),
    ("/model/layers/1/name", "x-b", "must not begin with x-"),
    ("/model/layers/1/parameters", -1, "must be at least 0"),
    ("/model/layers/1/parameters", 4.0, "must be an integer"),
    ("/model/layers/1/parameters", True, "must be an integer"),
    ("/model/layers/1/parameters", "4", "must be an integer"),
    ("/model/layers/1/parameters", 2**53, "must be at most 9007199254740991"),
    ("/model/layers/1/forward_flops", None, "must be a number"),
    ("/model/layers/1/inputs/0", "c", "put the layers in topological order"),
    ("/model/layers/1/inputs/0", "ghost", "no layer has this name"),
    ("/network/nodes", [], "must have at least 1 item"),
    ("/network/nodes/1/id", "p", "node id appears earlier"),
    ("/network/nodes/1/flops_per_s", 0, "must be above 0"),
    ("/network/nodes/1/flops_per_s", float("inf"), "must be a finite number"),
    ("/network/nodes/1/memory_bytes", -4, "must be at least 1"),
    ("/network/nodes/1/memory_bytes", 0, "must be at least 1"),
    ("/network/nodes/1/uplink_bit_per_s", 0, "must be above 0"),
    ("/network/nodes/1/latency_s", -1e-9, "must be at least 0"),
    ("/network/nodes/1/latency_s", "5 ms", "must be a number"),
    ("/network/nodes/0/available_s/0", [2, 1], "must begin before it ends"),
    ("/network/nodes/0/available_s/1", [4, 9], "must begin after the window before it ends"),
    ("/network/nodes/0/samples", 4, "must equal the sum of label_counts, 3"),
    ("/network/links/0/source", "ghost", "must be a node's id"),
    ("/network/links/0/target", "p", "must differ from the source"),
    ("/network/links/1", {"source": "p", "target": "q"}, "link appears earlier"),
    ("/network/timings/pi/ghost", {"forward_s": 1, "backward_s": 1}, "must be a layer of the model"),
    ("/training/batch_size", 0, "must be at least 1"),
    ("/training/weight_bytes", -0.5, "must be at least 0"),
    ("/micro_batches", 3, "must divide batch_size 4"),
    ("/shared_layers/0", "ghost", "must be a layer of the model"),
    ("/shared_layers", ["a", "b", "c"], "must leave a layer to assign"),
    ("/server", None, "must name a node with transport server"),
    ("/server", "ghost", "must be a node's id"),
    ("/objective", {}, "must have one positive weight"),
    ("/objective", {"time_s": 0}, "must have one positive weight"),
    ("/limits/min_nodes", 0, "must be at least 1"),
    ("/limits/deadline_s", -1, "must be at least 0"),
    ("/pin/ghost", "p", "must pin a layer of the model"),
    ("/pin/a", "p", "must not pin a shared layer"),
    ("/pin/b", "ghost", "must be a node's id"),
    ("/pin/b", "r", "must not be the server"),
    ("/forbid/0/1", "r", "must not be the server"),
]


@pytest.mark.parametrize(("pointer", "value", "rule"), SINGLE_FAULTS)
def test_a_single_fault_is_told_with_pointer_value_and_rule(pointer: str, value: Any, rule: str) -> None:
    line = faults(changed(COMPLETE, pointer, value))[pointer]
    assert line.startswith(f"{pointer}: ")
    assert rule in line


@pytest.mark.parametrize(
    ("members", "pointer", "rule"),
    [
        ({"shared_layers": ["a", "a"]}, "/shared_layers/1", "layer appears earlier in the list"),
        ({"schedule": "pipeline"}, "/shared_layers", "must be empty with schedule pipeline"),
        ({"transport": "peer"}, "/server", "must be null with transport peer"),
        ({"training": COMPLETE["training"] | {"pass": "inference"}}, "/training/pass", "must be training"),
        (
            {"training": COMPLETE["training"] | {"batch_size": 3}},
            "/micro_batches",
            "must divide batch_size 3",
        ),
        ({"forbid": [["a", "p"]]}, "/forbid/0/0", "must not be a shared layer"),
        ({"forbid": [["c"]]}, "/forbid/0/1", "required member is missing"),
        ({"forbid": [["c", "p", "q"]]}, "/forbid/0", "must have at most 2 items"),
    ],
)
def test_members_that_do_not_go_together_are_refused(members: Any, pointer: str, rule: str) -> None:
    assert rule in faults(COMPLETE | members)[pointer]


def test_a_layer_without_a_timing_is_named() -> None:
    faulty = copy.deepcopy(COMPLETE)
    del faulty["network"]["timings"]["pi"]["c"]
    assert "timing of this layer is missing" in faults(faulty)["/network/timings/pi/c"]


@pytest.mark.parametrize("field", ["format", "problem", "model", "network", "training", "schedule"])
def test_a_missing_member_is_named(field: str) -> None:
    faulty = {key: value for key, value in COMPLETE.items() if key != field}
    assert "required member is missing; add it" in faults(faulty)[f"/{field}"]


def test_a_misspelt_member_gets_a_hint() -> None:
    line = faults(changed(COMPLETE, "/network/nodes/1/memory_byte", 4))["/network/nodes/1/memory_byte"]
    assert line.endswith("unknown member; did you mean memory_bytes?")


def test_an_unknown_member_that_resembles_nothing_is_told_to_become_a_note() -> None:
    line = faults(changed(COMPLETE, "/limits/zzz", 4))["/limits/zzz"]
    assert line.endswith("unknown member; remove it, or begin its name with x- if it is a note")


def test_an_unknown_member_named_like_pydantics_mark_of_a_key_has_its_own_pointer() -> None:
    assert (
        "unknown member" in faults(changed(COMPLETE, "/network/nodes/1/[key]", 1))["/network/nodes/1/[key]"]
    )


def test_the_fault_of_a_pin_without_a_name_is_told_at_the_pin() -> None:
    assert "must not be empty" in faults(changed(COMPLETE, "/pin/", "p"))["/pin/"]


def test_all_faults_come_at_once_and_in_document_order() -> None:
    faulty = changed(COMPLETE, "/network/nodes/1/memory_bytes", -4)
    faulty = changed(faulty, "/model/layers/0/parameters", "many")
    faulty = changed(faulty, "/pin/b", "ghost")
    faulty = changed(faulty, "/network/nodes/0/samples", 9)
    faulty = changed(faulty, "/zzz", 1)
    assert [*faults(faulty)] == [
        "/model/layers/0/parameters",
        "/network/nodes/0/samples",
        "/network/nodes/1/memory_bytes",
        "/pin/b",
        "/zzz",
    ]


def test_faults_of_the_text_come_with_those_of_the_fields() -> None:
    text = json.dumps(changed(COMPLETE, "/network/nodes/1/memory_bytes", -4))
    parsed, also = parse(text.replace('"overlap": false', '"overlap": false, "overlap": NaN'))
    with pytest.raises(InvalidInputError) as caught:
        problem_from_document(parsed, also=also)
    assert {"/overlap", "/network/nodes/1/memory_bytes"} <= {fault.pointer for fault in caught.value.faults}


def test_nan_is_told_once() -> None:
    parsed, also = parse(json.dumps(changed(COMPLETE, "/network/nodes/1/latency_s", float("nan"))))
    with pytest.raises(InvalidInputError) as caught:
        problem_from_document(parsed, also=also)
    assert [fault.pointer for fault in caught.value.faults] == ["/network/nodes/1/latency_s"]


def test_a_document_with_more_faults_is_told_of_a_hundred_at_most() -> None:
    faulty = document(nodes=[node(f"n{index}", memory_bytes=-index) for index in range(250)])
    with pytest.raises(InvalidInputError) as caught:
        problem_from_document(faulty)
    assert len(caught.value.faults) == MAX_FAULTS == 100
    assert str(caught.value.faults[-1]) == "(document): 151 more faults are not shown; mend these first"


@pytest.mark.parametrize("other", [None, 3, "text", [], [{}], True])
def test_a_document_that_is_no_object_is_refused(other: Any) -> None:
    assert "must be an object" in faults(other)[""]


def test_of_the_empty_object_no_more_is_asked_than_format_and_problem() -> None:
    found, missing = faults({}), "required member is missing; add it,"
    assert [*found] == ["/format", "/problem"]
    assert found["/format"].endswith(f"{missing} 'edgeplan/1'")
    assert found["/problem"].endswith(
        f"{missing} 'layer_assignment' or 'segment_scheduling' or 'sparse_update'"
    )


@pytest.mark.parametrize("name", [3, None, [], {}, True, "", "Layer_assignment"])
def test_of_an_unknown_problem_only_the_header_is_judged(name: Any) -> None:
    faulty = COMPLETE | {"problem": name, "format": "edgeplan/2", "model": 3}
    assert [*faults(faulty)] == ["/format", "/problem"]


def test_nan_in_the_header_is_told_once() -> None:
    parsed, also = parse('{"format": NaN, "problem": NaN}')
    with pytest.raises(InvalidInputError) as caught:
        problem_from_document(parsed, also=also)
    assert [fault.pointer for fault in caught.value.faults] == ["/format", "/problem"]


def test_a_problem_is_the_one_that_its_document_names() -> None:
    for example in (two_layers_two_nodes(), two_blocks_two_phones()):
        assert problem_from_document(example.to_document()) == example


def test_notes_pass_anywhere() -> None:
    noted = changed(changed(COMPLETE, "/x-note", [1]), "/network/nodes/0/x-place", {"a": None})
    parsed, also = parse(json.dumps(noted))
    assert problem_from_document(parsed, also=also).document == COMPLETE


def test_a_pointer_escapes_slashes_and_tildes() -> None:
    assert "/pin/a~1b~0c" in faults(changed(COMPLETE, "/pin", {"a/b~c": "p"}))


def test_a_fault_is_one_printable_line_whatever_stands_there() -> None:
    line = faults(changed(COMPLETE, "/name", ["\x1b[31m\n" + "long " * 100]))["/name"]
    assert line.isprintable()
    assert len(line) < 200


def test_limits_that_contradict_each_other_are_no_fault() -> None:
    problem_from_document(document(limits={"min_nodes": 3, "max_nodes": 1}))


def test_a_timing_for_a_type_that_no_node_has_is_allowed() -> None:
    unused = document("ab")
    unused["network"]["timings"] = {"tpu": {name: {"forward_s": 0, "backward_s": 0} for name in "ab"}}
    problem_from_document(unused)


@pytest.mark.parametrize(("schedule", "other"), [("pipeline", "serial"), ("serial", "pipeline")])
def test_the_equations_of_the_other_schedule_are_refused(schedule: str, other: str) -> None:
    given = problem_from_document(document(schedule=schedule))
    with pytest.raises(UsageError, match=rf"/schedule.*must be {other}"):
        getattr(given, other)


def test_a_replaced_member_is_validated_anew() -> None:
    given = problem_from_document(document())
    assert given.replace(name="other").instance.name == "other"
    with pytest.raises(InvalidInputError, match="/limits/min_nodes"):
        given.replace(limits={"min_nodes": 0})


@pytest.mark.parametrize("missing", [True, False])
def test_a_file_that_cannot_be_read_is_told_in_one_line(tmp_path: Path, missing: bool) -> None:
    path = tmp_path / "absent.json" if missing else tmp_path
    with pytest.raises(UsageError, match=r"cannot be read: .*; name a readable file"):
        load(path)


def test_a_loaded_file_is_named_in_its_faults(tmp_path: Path) -> None:
    path = tmp_path / "instance.json"
    path.write_text(json.dumps(document(limits={"min_nodes": 0})), encoding="utf-8")
    with pytest.raises(InvalidInputError, match=r"/limits/min_nodes: 0: .* \[.*instance\.json\]"):
        load(path)
