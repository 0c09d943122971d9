from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from federated_instances import CLIENTS, Finished, recomputed
from kernel_emulation import require_kernel
from rich.console import Console

from edgeplan.runtime.emulation.modes import KERNEL, PROCESS
from edgeplan.runtime.federated import render, run


def test_the_parameters_are_those_of_federated_averaging_in_one_process(partial: Finished) -> None:
    trained = np.load(partial.job.folder / "parameters.npy", allow_pickle=False)
    assert trained.dtype == np.float32
    assert trained.tolist() == recomputed(partial.job)


def test_who_sits_a_round_out_moves_nothing_and_the_others_everything_twice(partial: Finished) -> None:
    everything = 4 * sum(layer.parameters for layer in partial.job.problem.instance.model.layers)
    assert partial.report["passed"]
    assert partial.report["totals"]["bytes_equal"]
    assert [entry["bytes_moved"] for entry in partial.report["rounds"]] == [
        2 * everything * count for count in (3, 2, 1, 3)
    ]
    names = [[client["node"] for client in entry["clients"]] for entry in partial.report["rounds"]]
    assert [sorted(some) for some in names] == [
        [*CLIENTS],
        ["node-0", "node-2"],
        ["node-1"],
        [*CLIENTS],
    ]
    assert [client["rounds"] for client in partial.report["clients"]] == [3, 3, 3]


def test_shares_are_samples_or_weights_over_those_who_took_part(partial: Finished) -> None:
    first, second, third, _ = partial.report["rounds"]
    samples = {node["node"]: node["samples"] for node in partial.report["nodes"]}
    for client in first["clients"]:
        assert client["share"] == samples[client["node"]] / sum(samples.values())
    assert {client["node"]: client["share"] for client in second["clients"]} == {"node-0": 0.8, "node-2": 0.2}
    assert third["clients"][0]["share"] == 1.0


def test_every_transfer_kept_every_bit_and_every_client_learned(partial: Finished) -> None:
    parts = [client for entry in partial.report["rounds"] for client in entry["clients"]]
    assert all(part["parameters_equal"] and part["trained_changed"] for part in parts)
    assert partial.report["rounds"][-1]["loss"] < partial.report["rounds"][0]["loss"]


def test_a_client_receives_then_trains_then_sends_and_the_last_update_ends_the_round(
    partial: Finished,
) -> None:
    for entry in partial.report["rounds"]:
        for client in entry["clients"]:
            seen = client["measured"]
            assert 0.0 <= seen["transfer_in_s"] <= seen["compute_start_s"]
            assert seen["compute_start_s"] + seen["compute_s"] <= seen["end_s"] <= entry["time_s"]


def test_trace_and_table_show_plan_and_measurement(partial: Finished) -> None:
    trace = json.loads((partial.job.folder / "trace.json").read_text(encoding="utf-8"))
    trained = [one for one in trace["traceEvents"] if one["name"] == "train"]
    assert [sum(one["pid"] == lane for one in trained) for lane in (0, 1)] == [9, 9]
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(render(partial.report))
    text = console.export_text()
    assert f"{partial.report['totals']['predicted_bytes']:,} =" in text
    assert "note: links, speeds and windows were not imposed" in text


@pytest.mark.parametrize("mode", [PROCESS, KERNEL])
def test_on_imitated_nodes_the_same_parameters_come_out_and_transfers_last_as_on_the_shared_link(
    partial: Finished, tmp_path: Path, mode: str
) -> None:
    if mode == KERNEL:
        require_kernel()
    document = partial.job.problem.to_document()
    for node in document["network"]["nodes"]:
        node |= {"flops_per_s": 2e7, "uplink_bit_per_s": 4e7, "latency_s": 0.002}
    given = partial.job.problem.replace(network=document["network"])
    settings = replace(partial.job.settings, emulation=mode, slower=1.0)
    report = run(given, partial.job.stated.schedule, settings, out=tmp_path)
    assert report["passed"]
    assert (report["emulation"]["mode"], len(report["emulation"]["links"])) == (mode, 6)
    trained, expected = (np.load(f / "parameters.npy") for f in (tmp_path, partial.job.folder))
    assert trained.tolist() == expected.tolist()
    everything = 4 * sum(layer.parameters for layer in partial.job.problem.instance.model.layers)
    planned = {"node-0": 3, "node-1": 3, "node-2": 3, "hub": 9} if mode == KERNEL else {}
    assert {one["node"]: one["parameter_bytes"] // everything for one in report["wire"]} == planned
    for entry in report["wire"]:
        assert 0 < entry["wire_bytes"] - entry["parameter_bytes"] <= entry["header_bytes"]
    first = report["rounds"][0]
    slowest_s = max(client["measured"]["transfer_in_s"] for client in first["clients"])
    alone_s = 8 * first["clients"][0]["predicted"]["bytes_in"] / 4e7
    assert slowest_s > 3 * alone_s  # three clients share the server's uplink
