from __future__ import annotations

from typing import Any

import pytest

from edgeplan.errors import InvalidInputError, UsageError
from edgeplan.models.federated import FederatedSchedule, StatedSchedule
from edgeplan.models.layer_assignment import LayerAssignment


def instance(**members: Any) -> LayerAssignment:
    layer = {"forward_flops": 2.0, "input_gradient_flops": 3.0, "weight_gradient_flops": 5.0}
    sizes = {"output_bytes": 7, "saved_bytes": 11, "saved_frozen_bytes": 1}
    rates = {"uplink_bit_per_s": 160.0, "downlink_bit_per_s": 160.0}
    nodes = [
        {"id": "slow", "flops_per_s": 17.0, "memory_bytes": 10_000, **rates},
        {"id": "fast", "flops_per_s": 34.0, "memory_bytes": 10_000},
        {"id": "hub", "flops_per_s": 1.0, "memory_bytes": 1, **rates},
    ]
    return LayerAssignment.from_document(
        {
            "format": "edgeplan/1",
            "problem": "layer_assignment",
            "model": {
                "layers": [{"name": name, "parameters": 5, **layer, **sizes} for name in ("conv", "head")]
            },
            "network": {"nodes": nodes},
            "training": {
                "batch_size": 2,
                "local_steps": 3,
                "weight_bytes": 4,
                "gradient_bytes": 4,
                "optimizer_bytes": 8,
                "reserve_bytes": 100,
            },
            "schedule": "serial",
            **members,
        }
    )


def document(*rounds: list[dict[str, Any]], **members: Any) -> dict[str, Any]:
    entries = [{"clients": clients} for clients in rounds]
    return {
        "format": "edgeplan/1",
        "kind": "federated_schedule",
        "server": "hub",
        "rounds": entries,
    } | members


BOTH: list[dict[str, Any]] = [{"node": "slow"}, {"node": "fast", "local_steps": 10, "batch_size": 4}]


def test_a_round_is_what_its_arithmetic_says() -> None:
    # 10 parameters of 4 byte are 320 bit; both share 160 bit/s down: 4 s. A sample takes 2 + 2, 3 of the
    # second layer, 5 + 5: 17 FLOPs. slow: 6 samples, 6 s; fast: 40 samples, 20 s. Up, each alone: 2 s.
    (cost,) = StatedSchedule.from_document(document(BOTH), instance()).rounds
    slow, fast = cost.clients
    assert (slow.transfer_in_s, slow.compute_start_s, slow.compute_s, slow.transfer_out_s) == (4, 4, 6, 2)
    assert (fast.transfer_in_s, fast.compute_start_s, fast.compute_s, fast.transfer_out_s) == (4, 4, 20, 2)
    assert (slow.end_s, fast.end_s, cost.time_s) == (12.0, 26.0, 26.0)
    assert (slow.memory_bytes, fast.memory_bytes) == (
        100 + 16 * 10 + 2 * (22 + 14),
        100 + 16 * 10 + 4 * (22 + 14),
    )
    assert (slow.bytes_in, slow.bytes_out, cost.bytes_moved) == (40, 40, 160)


def test_a_fixed_share_of_a_step_is_there_with_any_batch() -> None:
    # Of a step with the instance's 2 samples, 2 * 17 FLOPs, half stays: 1 s at slow, 0.5 s at fast. A
    # sample adds 0.5 s at slow; at fast 0.25 s, of which a step with 4 samples has 1 s.
    (cost,) = StatedSchedule.from_document(document(BOTH, fixed_share=0.5), instance()).rounds
    assert [client.compute_s for client in cost.clients] == [3 * (1 + 2 * 0.5), 10 * (0.5 + 4 * 0.25)]


def test_who_is_gone_leaves_the_link_to_the_others() -> None:
    stated = StatedSchedule.from_document(document(BOTH), instance())
    cost = stated.round_cost(0, without={"slow"})
    assert ([one.node for one in cost.clients], cost.time_s) == (["fast"], 24.0)
    assert stated.round_cost(0, without={"slow", "fast"}).time_s == 0.0


def test_the_instance_s_server_averages_where_the_schedule_names_none() -> None:
    given = instance(transport="server", server="hub")
    stated = StatedSchedule.from_document(document(BOTH[1:], server=None), given)
    assert (stated.server, stated.clients) == ("hub", ("fast",))


def test_shared_layers_of_the_instance_change_nothing() -> None:
    shared = instance(shared_layers=["conv"], train_shared=False)
    for given in (instance(), shared):
        stated = StatedSchedule.from_document(document(BOTH), given)
        assert (stated.num_bytes, stated.rounds[0].time_s) == (40, 26.0)


def test_computing_waits_for_a_window_that_fits() -> None:
    network = instance().to_document()["network"]
    network["nodes"][0]["available_s"] = [[0.0, 8.0], [30.0, 100.0]]
    (cost,) = StatedSchedule.from_document(document(BOTH), instance().replace(network=network)).rounds
    assert (cost.clients[0].compute_start_s, cost.time_s) == (30.0, 38.0)


def faults(entry: Any, given: LayerAssignment | None = None) -> list[str]:
    with pytest.raises(InvalidInputError) as caught:
        StatedSchedule.from_document(entry, given or instance())
    return caught.value.lines()


def changed(place: str, value: Any) -> dict[str, Any]:
    """Put a value at a place of a good schedule."""
    entry: Any = document([dict(client) for client in BOTH], [{"node": "slow"}])
    at = entry
    *way, last = (int(part) if part.isdigit() else part for part in place.split("/")[1:])
    for part in way:
        at = at[part]
    at[last] = value
    return dict(entry)


@pytest.mark.parametrize(
    ("place", "value", "rule"),
    [
        ("/server", "x", '"x": must be a node\'s id; no node has this id'),
        ("/server", None, "must name the node that averages"),
        ("/kind", "run", "\"run\": must be 'federated_schedule'"),
        ("/rounds", [], "[]: must have at least 1 item"),
        ("/rounds/1/clients", [], "[]: must have at least 1 item"),
        ("/rounds/1/clients/0/node", "x", '"x": must be a node\'s id; no node has this id'),
        ("/rounds/0/clients/1/node", "slow", '"slow": takes part in this round already'),
        ("/rounds/0/clients/0/node", "hub", '"hub": must not be the server'),
        ("/rounds/0/clients/0/local_steps", 0, "0: must be at least 1"),
        ("/rounds/0/clients/0/local_step", 1, "1: unknown member; did you mean local_steps?"),
        ("/rounds/0/clients/0/batch_size", 2.5, "2.5: must be an integer"),
        ("/rounds/1/clients/0/weight", -1.0, "-1.0: must be at least 0"),
    ],
)
def test_a_faulty_schedule_is_refused_at_its_place(place: str, value: Any, rule: str) -> None:
    (line,) = faults(changed(place, value))
    assert line.startswith(f"{place}: {rule}")


def test_weights_are_given_by_all_of_a_round_or_by_none_and_one_is_positive() -> None:
    (line,) = faults(changed("/rounds/0/clients/1/weight", 1.0))
    assert line.startswith("/rounds/0/clients/0/weight: must be given by all clients of a round")
    (line,) = faults(changed("/rounds/1/clients/0/weight", 0.0))
    assert line.startswith("/rounds/1/clients: must have one positive weight")


def test_a_client_without_the_memory_is_refused() -> None:
    (line,) = faults(changed("/rounds/0/clients/1/batch_size", 1000))
    assert line.startswith('/rounds/0/clients/1: "fast": must have 36260 bytes to train everything')


def test_all_faults_come_together_in_document_order() -> None:
    entry = changed("/server", "y")
    entry["rounds"][1]["clients"][0] = {"node": "x", "weight": 0.0}
    entry["rounds"][0]["clients"][0]["local_steps"] = -3
    assert [line.split(":")[0] for line in faults(entry)] == [
        "/rounds/0/clients/0/local_steps",
        "/rounds/1/clients",
        "/rounds/1/clients/0/node",
        "/server",
    ]


def test_work_that_fits_no_window_is_refused() -> None:
    network = instance().to_document()["network"]
    network["nodes"][0]["available_s"] = [[0.0, 8.0]]
    (line,) = faults(document(BOTH), instance().replace(network=network))
    assert line.startswith('/rounds/0/clients/0: "slow": must have a window for 6 s of computing')


def test_an_instance_for_pipelines_is_refused() -> None:
    with pytest.raises(UsageError, match='/schedule: "pipeline": must be serial'):
        StatedSchedule.from_document(document(BOTH), instance(schedule="pipeline"))


@pytest.mark.parametrize("entry", [None, [], "x", {"rounds": {}}, {"rounds": [None, {"clients": [3, {}]}]}])
def test_what_is_no_schedule_is_refused_without_a_traceback(entry: Any) -> None:
    assert faults(entry)


def test_a_schedule_goes_to_json_and_back() -> None:
    entry = document(BOTH, [{"node": "slow", "weight": 0.5}], name="two rounds")
    schedule = StatedSchedule.from_document(entry, instance()).schedule
    assert FederatedSchedule.from_document(schedule.to_document()) == schedule
