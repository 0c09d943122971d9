"""The instance of a network: figures that the problem accepts and that rise with the ratio."""

from __future__ import annotations

import json
import re
from contextlib import nullcontext
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from pruned_networks import case_of, chain, mobilenet
from tiny_workloads import tiny_workload
from torch import nn

from edgeplan.errors import InvalidInputError, UsageError
from edgeplan.models.document import parse
from edgeplan.models.sparse_update import SparseUpdate
from edgeplan.runtime.sparse import num_channels, traced_layers
from edgeplan.runtime.sparse.measured import Cluster, Contributions, Offer, build, of_module, of_workload
from edgeplan.runtime.sparse.measured.costs import costs_of, forward_flops
from edgeplan.runtime.sparse.workload import settings_in

OFFER, WHOLE_LAYERS = Offer(batch_size=4), Offer(ratios=(1.0,))
CLUSTER = Cluster(num_devices=3, least_memory=0.7, most_memory=0.9)
RISING = ("memory_bytes", "parameters", "weight_gradient_flops")


def watch(_title: str) -> nullcontext[None]:
    return nullcontext()


def tiny_document(contribution: str = "probe", **offered: Any) -> dict[str, Any]:
    return of_workload(tiny_workload(), CLUSTER, replace(OFFER, **offered), contribution, watch)


def accepted(document: dict[str, Any]) -> SparseUpdate:
    read, faults = parse(json.dumps(document))
    assert faults == []
    return SparseUpdate.from_document(read)


def test_the_document_is_accepted_and_names_every_layer_of_the_network() -> None:
    document = tiny_document()
    assert [layer.name for layer in accepted(document).instance.layers] == [
        layer.name for layer in tiny_workload().layers(4)
    ]
    assert len(document["depth_contribution"]) == len(document["layers"]) + 1


def test_the_same_settings_give_the_same_bytes() -> None:
    assert json.dumps(tiny_document()) == json.dumps(tiny_document())


def test_no_figure_falls_with_the_ratio() -> None:
    for layer in tiny_document()["layers"]:
        assert [option["ratio"] for option in layer["options"]] == [0.125, 0.25, 0.5, 1.0]
        for low, high in pairwise(layer["options"]):
            assert all(low[name] <= high[name] for name in (*RISING, "contribution"))


def test_contributions_of_everything_are_a_hundred() -> None:
    document = tiny_document()
    weights = sum(layer["options"][-1]["contribution"] for layer in document["layers"])
    assert weights + document["depth_contribution"][-1] == pytest.approx(100, abs=1e-3)


def test_the_notes_rebuild_the_workload() -> None:
    document = tiny_document()
    assert settings_in(document) == tiny_workload().settings
    assert document["x-start-sha256"] == tiny_workload().fingerprint()
    assert document["x-contribution"]["by"] == "probe"


def test_a_file_of_contributions_needs_no_probe(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("layer,ratio,contribution\nclassifier,1,7\nclassifier,0,2\n")
    document = tiny_document(str(path))
    assert document["layers"][-1]["options"][-1]["contribution"] == 7.0
    assert set(document["depth_contribution"]) == {0.0, 2.0}


def test_devices_lie_at_equal_distances_between_the_shares_of_dense_training() -> None:
    document = tiny_document()
    dense = document["x-memory"]["dense_bytes"]
    everything = sum(
        layer["bias_bytes"] + layer["options"][-1]["memory_bytes"] for layer in document["layers"]
    )
    assert dense == document["base_bytes"] + everything
    budgets = [device["memory_bytes"] for device in document["devices"]]
    assert budgets == [round(share * dense) for share in (0.7, 0.8, 0.9)]


def test_one_device_has_the_least_memory() -> None:
    assert Cluster(num_devices=1, least_memory=0.5, most_memory=0.9).budgets_bytes(10, 100) == [50]


def test_devices_that_cannot_run_the_network_are_refused_with_the_least_share() -> None:
    cluster = Cluster(num_devices=2, least_memory=0.2, most_memory=0.9)
    with pytest.raises(UsageError, match=r"memory share 0.2: 2,000 bytes are below the 3,332 .* 0.334"):
        cluster.budgets_bytes(3332, 10_000)
    least = replace(cluster, least_memory=0.334)
    assert least.budgets_bytes(3332, 10_000)[0] >= 3332


def test_a_step_without_momentum_takes_less() -> None:
    plain, with_momentum = (tiny_document(momentum=momentum) for momentum in (False, True))
    for one, other in zip(plain["layers"], with_momentum["layers"], strict=True):
        option, larger = one["options"][-1], other["options"][-1]
        assert larger["memory_bytes"] - option["memory_bytes"] == 4 * option["parameters"]
        assert other["bias_bytes"] - one["bias_bytes"] == 4 * one["bias_parameters"]
    assert plain["base_bytes"] == with_momentum["base_bytes"]


def test_flops_are_products_by_hand() -> None:
    case = chain()
    flops = forward_flops(case.module, case.layers, case.batch)
    assert flops == {
        "0": 2 * 3 * 8 * 9 * 49,
        "3": 2 * 8 * 9 * 49,
        "6": 2 * 8 * 5 * 9 * 5 * 7,
        "9": 2 * 5 * 5 * 7 * 9,
        "12": 2 * 9 * 4,
    }
    costs = costs_of(case.module, case.layers, case.batch, momentum=True)
    for cost in costs:
        share = num_channels(0.5, cost.layer.in_channels) / cost.layer.in_channels
        assert cost.weight_gradient_flops(0.5) == cost.forward_flops * share


def test_parameters_are_those_of_the_network() -> None:
    case = mobilenet()
    costs = costs_of(case.module, case.layers, case.batch, momentum=True)
    for cost in costs:
        weight = case.module.get_parameter(f"{cost.layer.name}.weight")
        assert cost.layer.parameters(1.0) == weight.numel()


def test_double_precision_takes_twice_the_bytes() -> None:
    single, double = chain(), chain(torch.float64)
    for one, other in zip(
        *(costs_of(case.module, case.layers, case.batch, momentum=True) for case in (single, double)),
        strict=True,
    ):
        assert other.memory_bytes(1.0) - 8 * _num_filters(other) == 2 * (
            one.memory_bytes(1.0) - 8 * _num_filters(one)
        )


def _num_filters(cost: Any) -> int:
    return cost.layer.in_channels if cost.index_bytes else 0


@pytest.mark.parametrize("name", ["input", "x-ray"])
def test_a_layer_with_a_name_of_another_meaning_is_refused(name: str) -> None:
    module = nn.Sequential()
    module.add_module(name, nn.Linear(4, 3))
    batch = torch.zeros(2, 4)
    brings = Contributions({name: {1.0: 1.0}}, (0.0, 0.0), {})
    with pytest.raises(InvalidInputError, match=rf'/layers/0/name: "{name}": must not .*; rename the layer'):
        build(module, traced_layers(module, batch), batch, brings, Cluster(1, 1.0), WHOLE_LAYERS, name="x")


def test_a_layer_that_runs_twice_is_refused() -> None:
    shared = nn.Linear(4, 4)
    case = case_of(nn.Sequential(shared, nn.ReLU(), shared), torch.zeros(2, 4))
    brings = Contributions({"0": {1.0: 1.0}}, (0.0,) * 3, {})
    with pytest.raises(UsageError, match="layer '0': is listed twice"):
        build(case.module, case.layers, case.batch, brings, Cluster(1, 1.0), WHOLE_LAYERS, name="x")


def mine() -> nn.Module:
    """A network of the user's own."""
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 5))


def weightless() -> nn.Module:
    return nn.Sequential(nn.Flatten())


def grouped() -> nn.Module:
    return nn.Sequential(nn.Conv2d(4, 8, 3, groups=2), nn.Flatten(), nn.Linear(72, 2))


def csv_of(folder: Path, *rows: str) -> str:
    path = folder / "mine.csv"
    path.write_text("\n".join(("layer,ratio,contribution", *rows)) + "\n")
    return str(path)


def test_a_network_of_one_s_own_takes_its_contributions_from_a_file(tmp_path: Path) -> None:
    path = csv_of(tmp_path, "0,1,3", "3,0.5,2")
    document = of_module(f"{__name__}:mine", "3,8,8", replace(CLUSTER, least_memory=0.9), OFFER, path, seed=1)
    problem = accepted(document)
    assert [layer.name for layer in problem.instance.layers] == ["0", "3"]
    assert problem.instance.name.endswith(":mine on 3 devices, seed 1")
    assert "x-workload" not in document


@pytest.mark.parametrize(
    ("factory", "shape", "told"),
    [
        ("mine", None, "needs the shape of one sample, such as --input-shape 3,32,32"),
        ("mine", "3,9,9", "running it on (batch, 3, 9, 9) float32 fails"),
        ("weightless", "4", "has no nn.Conv2d and no nn.Linear, so nothing to train; name another"),
        ("grouped", "4,5,5", "layer '0': 2 groups of 4 channels"),
        ("absent", "4", "no 'absent' in"),
    ],
)
def test_a_network_that_cannot_be_trained_in_part_is_told(
    tmp_path: Path, factory: str, shape: str | None, told: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(told)):
        of_module(f"{__name__}:{factory}", shape, CLUSTER, OFFER, csv_of(tmp_path), seed=0)


@pytest.mark.parametrize("contribution", ["probe", "gain"])
def test_a_network_of_one_s_own_has_no_images_to_probe(contribution: str) -> None:
    rule = f"contribution {contribution}: must be a CSV file for .*; write its columns .* 0 ... 3"
    with pytest.raises(UsageError, match=rule):
        of_module(f"{__name__}:mine", "3,8,8", CLUSTER, OFFER, contribution, seed=0)
