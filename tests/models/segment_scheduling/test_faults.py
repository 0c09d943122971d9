"""Faulty instances of segment_scheduling: every rule has its pointer, and all faults come at once."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from small_instances import changed

from edgeplan.errors import InvalidInputError
from edgeplan.models.document import parse
from edgeplan.models.problems import problem_from_document
from edgeplan.models.segment_scheduling.examples import two_blocks_two_phones

TRACED = two_blocks_two_phones().to_document()
FADING = TRACED | {
    "channels": {"kind": "rayleigh", "seed": 7, "d2d_gain": 1e-9, "uplink_gain": 1e-10, "floor": 0.05}
}
PHONE = TRACED["clusters"][0]["devices"][0]


def faults(faulty: Any) -> dict[str, str]:
    """Rules by pointer of a document that must be refused."""
    with pytest.raises(InvalidInputError) as caught:
        problem_from_document(copy.deepcopy(faulty))
    assert all("\n" not in line for line in caught.value.lines())
    return {fault.pointer: str(fault) for fault in caught.value.faults}


def without(document: dict[str, Any], pointer: str) -> dict[str, Any]:
    """Return a copy without the member at a pointer."""
    result = copy.deepcopy(document)
    *parents, last = pointer.split("/")[1:]
    home: Any = result
    for part in parents:
        home = home[int(part) if isinstance(home, list) else part]
    del home[last]
    return result


@pytest.mark.parametrize("document", [TRACED, FADING])
def test_the_documents_that_are_made_faulty_are_not(document: dict[str, Any]) -> None:
    problem_from_document(copy.deepcopy(document))


SINGLE_FAULTS = [
    ("/format", "edgeplan/2", "must be 'edgeplan/1'"),
    ("/name", "", "must not be empty"),
    ("/model", None, "must be an object"),
    ("/model/layers", [], "must have at least 1 item"),
    ("/model/layers/1/name", "encoder.0", "layer name appears earlier"),
    ("/model/layers/1/parameters", 4.0, "must be an integer"),
    ("/model/layers/1/inputs", ["ghost"], ""),
    ("/clusters", [], "must have at least 1 item"),
    ("/clusters", {}, "must be an array"),
    ("/clusters/0/id", "", "must not be empty"),
    ("/clusters/0/id", 3, "must be a string"),
    ("/clusters/0/node_order", "any", "must be 'free' or 'given'"),
    ("/clusters/0/devices", [], "must have at least 1 item"),
    ("/clusters/0/d2d_bandwidth_hz", -1.0, "must be at least 0"),
    ("/clusters/0/d2d_bandwidth_hz", None, "must be a number"),
    ("/clusters/0/uplink_max_power_w", -0.1, "must be at least 0"),
    ("/clusters/0/uplink_energy_budget_j", 0.0, "must be above 0"),
    ("/clusters/0/embedding_s", -1e-9, "must be at least 0"),
    ("/clusters/0/decoder_s", "1 ms", "must be a number"),
    ("/clusters/0/devices/1/flops_per_s", 0, "must be above 0"),
    ("/clusters/0/devices/1/memory_bytes", 0, "must be at least 1"),
    ("/clusters/0/devices/1/memory_bytes", 1.5, "must be an integer"),
    ("/clusters/0/devices/1/overhead_s", -0.1, "must be at least 0"),
    ("/clusters/0/devices/1/compute_power_w", True, "must be a number"),
    ("/clusters/0/devices/1/max_power_w", -0.1, "must be at least 0"),
    ("/clusters/0/devices/1/energy_budget_j", -7.0, "must be above 0"),
    ("/clusters/0/devices/1/energy_budget_j", 0, "must be above 0"),
    ("/uplink_bandwidth_hz", -1, "must be at least 0"),
    ("/noise_w_per_hz", 0, "must be above 0"),
    ("/training/micro_batch_size", 0, "must be at least 1"),
    ("/training/max_micro_batches", 0, "must be at least 1"),
    ("/training/weight_bytes", -4, "must be at least 0"),
    ("/training/in_flight", "2f2b", "must be '1f1b' or 'gpipe'"),
    ("/control/tradeoff", 0, "must be above 0"),
    ("/control/slots", 0, "must be at least 1"),
    ("/control/slots", 1.0, "must be an integer"),
    ("/control/noise_level", 0, "must be above 0"),
    ("/control/noise_budget", 0, "must be above 0"),
    ("/control/noise_budget", 0.2499, "must be at least 0.25, the noise with every micro-batch allowed"),
    ("/channels/kind", "rician", "must be 'rayleigh' or 'trace'"),
    ("/channels/kind", None, "must be 'rayleigh' or 'trace'"),
    ("/channels/d2d/fast/0", 0.0, "must be above 0"),
    ("/channels/d2d/fast/0", "much", "must be a number"),
    ("/channels/d2d/fast", [], "must have 1 gains, one a slot, and has 0"),
    ("/channels/d2d/fast", [1e-9, 1e-9], "must have 1 gains, one a slot, and has 2"),
    ("/channels/d2d/fast", 1e-9, "must be an array"),
    ("/channels/d2d/home", [1e-9], "must be the id of a device; no device has this id"),
    ("/channels/uplink/fast", [1e-9], "must be the id of a cluster; no cluster has this id"),
    ("/channels/uplink/home/0", -1e-9, "must be above 0"),
    ("/channels/uplink", None, "must not be null with kind trace"),
    ("/channels/d2d", None, "must not be null with kind trace"),
    ("/channels/seed", 7, "does not go with kind trace; remove it or use kind rayleigh"),
    ("/channels/seed", None, "does not go with kind trace"),
    ("/channels/floor", 0.05, "does not go with kind trace"),
    ("/initial_queues", None, "must be an object"),
    ("/initial_queues", [], "must be an object"),
    ("/initial_queues/fast", -0.1, "must be at least 0"),
    ("/initial_queues/fast", None, "must be a number"),
    ("/initial_queues/ghost", 1.0, 'must be the id of a device or a cluster, or "noise"'),
]


@pytest.mark.parametrize(("pointer", "value", "rule"), SINGLE_FAULTS)
def test_a_single_fault_is_told_alone_with_pointer_value_and_rule(
    pointer: str, value: Any, rule: str
) -> None:
    found = faults(changed(TRACED, pointer, value))
    place = f"{pointer}/0" if pointer.endswith("/inputs") else pointer
    assert rule in found[place]
    assert found[place].startswith(f"{place}: ")


FADING_FAULTS = [
    ("/channels/seed", None, "must not be null with kind rayleigh"),
    ("/channels/seed", -1, "must be at least 0"),
    ("/channels/seed", 0.5, "must be an integer"),
    ("/channels/d2d_gain", 0.0, "must be above 0"),
    ("/channels/d2d_gain", None, "must not be null with kind rayleigh"),
    ("/channels/uplink_gain", None, "must not be null with kind rayleigh"),
    ("/channels/floor", 0, "must be above 0"),
    ("/channels/floor", None, "must be a number"),
    ("/channels/d2d", {"fast": [1e-9]}, "does not go with kind rayleigh; remove it or use kind trace"),
    ("/channels/d2d", None, "does not go with kind rayleigh"),
    ("/channels/uplink", {}, "does not go with kind rayleigh"),
]


@pytest.mark.parametrize(("pointer", "value", "rule"), FADING_FAULTS)
def test_a_fault_of_the_fading_is_told_alone(pointer: str, value: Any, rule: str) -> None:
    (only,) = faults(changed(FADING, pointer, value)).items()
    assert (only[0], rule in only[1]) == (pointer, True)


REQUIRED = [
    *("/format", "/model", "/clusters", "/uplink_bandwidth_hz", "/noise_w_per_hz", "/training", "/control"),
    "/channels",
    *(f"/clusters/0/{name}" for name in TRACED["clusters"][0]),
    *(f"/clusters/0/devices/1/{name}" for name in PHONE),
    *(f"/training/{name}" for name in TRACED["training"]),
    *(f"/control/{name}" for name in TRACED["control"]),
    *(f"/model/layers/1/{name}" for name in TRACED["model"]["layers"][1]),
    *("/channels/kind", "/channels/d2d", "/channels/uplink"),
]


@pytest.mark.parametrize("pointer", REQUIRED)
def test_a_missing_member_is_named(pointer: str) -> None:
    assert "required member is missing" in faults(without(TRACED, pointer))[pointer]


@pytest.mark.parametrize(
    "pointer", [f"/channels/{name}" for name in ("kind", "seed", "d2d_gain", "uplink_gain")]
)
def test_a_missing_member_of_the_fading_is_named(pointer: str) -> None:
    assert "required member is missing" in faults(without(FADING, pointer))[pointer]


@pytest.mark.parametrize("pointer", ["/channels/d2d/slow", "/channels/uplink/home"])
def test_a_trace_that_is_missing_is_named(pointer: str) -> None:
    assert "are missing; add them" in faults(without(TRACED, pointer))[pointer]


@pytest.mark.parametrize(
    ("pointer", "hint"),
    [
        ("/clusters/0/devices/0/memory_byte", "did you mean memory_bytes?"),
        ("/clusters/0/d2d_band_hz", "did you mean d2d_bandwidth_hz?"),
        ("/control/trade_off", "did you mean tradeoff?"),
        ("/channels/zzz", "begin its name with x- if it is a note"),
        ("/network", "begin its name with x- if it is a note"),
    ],
)
def test_an_unknown_member_gets_a_hint(pointer: str, hint: str) -> None:
    line = faults(changed(TRACED, pointer, 1))[pointer]
    assert "unknown member" in line
    assert line.endswith(hint)


def two_clusters() -> dict[str, Any]:
    """Two clusters with devices of their own, on fading channels."""
    one = FADING["clusters"][0]
    devices = [device | {"id": f"{device['id']}-2"} for device in one["devices"]]
    return FADING | {"clusters": [one, one | {"id": "yard", "devices": devices}]}


@pytest.mark.parametrize(
    ("pointer", "name"),
    [
        ("/clusters/1/id", "home"),
        ("/clusters/1/id", "slow"),
        ("/clusters/1/devices/0/id", "slow"),
        ("/clusters/1/devices/1/id", "home"),
        ("/clusters/1/devices/1/id", "fast-2"),
        ("/clusters/1/devices/0/id", "yard"),
    ],
)
def test_an_id_stands_once_among_devices_and_clusters_together(pointer: str, name: str) -> None:
    found = faults(changed(two_clusters(), pointer, name))
    assert [*found] == [pointer]
    assert "id appears earlier; ids of devices and clusters must be unique together" in found[pointer]


@pytest.mark.parametrize("pointer", ["/clusters/1/id", "/clusters/1/devices/0/id"])
@pytest.mark.parametrize(
    ("name", "rule"),
    [("noise", "must not be an id, it stands for the noise queue"), ("x-phone", "must not begin with x-")],
)
def test_a_name_with_another_meaning_is_no_id(pointer: str, name: str, rule: str) -> None:
    assert rule in faults(changed(two_clusters(), pointer, name))[pointer]


def test_the_least_noise_counts_the_micro_batches_of_all_clusters() -> None:
    given = two_clusters()
    problem_from_document(changed(given, "/control/noise_budget", 0.125))
    assert (
        "must be at least 0.125"
        in faults(changed(given, "/control/noise_budget", 0.1249))["/control/noise_budget"]
    )


def test_a_queue_of_a_cluster_and_of_the_noise_is_known() -> None:
    queues = {"home": 1.0, "fast": 0, "noise": 0.5}
    problem_from_document(changed(TRACED, "/initial_queues", queues))


@pytest.mark.parametrize("kind", [TRACED, FADING])
@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_what_is_no_finite_number_is_told_once(kind: dict[str, Any], text: str) -> None:
    written = json.dumps(changed(kind, "/clusters/0/devices/0/energy_budget_j", "here"))
    parsed, also = parse(written.replace('"here"', text))
    with pytest.raises(InvalidInputError) as caught:
        problem_from_document(parsed, also=also)
    assert [fault.pointer for fault in caught.value.faults] == ["/clusters/0/devices/0/energy_budget_j"]


def test_a_gain_that_is_not_a_number_is_told_at_its_slot() -> None:
    parsed, also = parse(json.dumps(changed(TRACED, "/channels/d2d/slow/0", float("nan"))))
    with pytest.raises(InvalidInputError) as caught:
        problem_from_document(parsed, also=also)
    assert [fault.pointer for fault in caught.value.faults] == ["/channels/d2d/slow/0"]


def test_an_id_that_no_line_can_hold_is_told_in_printable_lines() -> None:
    with pytest.raises(InvalidInputError) as caught:
        problem_from_document(changed(TRACED, "/clusters/0/devices/0/id", "\ud800\n"))
    assert all(line.isprintable() for line in caught.value.lines())


def test_a_huge_integer_overflows_nothing() -> None:
    found = faults(changed(TRACED, "/control/noise_level", 10**300 * 10**100))
    assert [*found] == ["/control/noise_level"]


def test_all_faults_come_at_once_and_in_document_order() -> None:
    faulty = changed(TRACED, "/clusters/0/devices/1/memory_bytes", -4)
    faulty = changed(faulty, "/clusters/0/devices/0/id", "noise")
    faulty = changed(faulty, "/channels/uplink/home", [])
    faulty = changed(faulty, "/initial_queues/ghost", 1)
    faulty = changed(faulty, "/zzz", 1)
    assert [*faults(faulty)] == [
        "/channels/d2d/fast",
        "/channels/d2d/noise",
        "/channels/uplink/home",
        "/clusters/0/devices/0/id",
        "/clusters/0/devices/1/memory_bytes",
        "/initial_queues/fast",
        "/initial_queues/ghost",
        "/zzz",
    ]


def test_notes_pass_anywhere() -> None:
    noted = changed(TRACED, "/x-origin", ["mine"])
    for pointer in ("/clusters/0/x-note", "/clusters/0/devices/0/x-note", "/channels/d2d/x-note"):
        noted = changed(noted, pointer, {"a": None})
    parsed, also = parse(json.dumps(noted))
    assert problem_from_document(parsed, also=also).document == TRACED
