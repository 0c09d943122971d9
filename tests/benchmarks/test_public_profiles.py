"""The loaders of public profiles give the published figures; skipped where the data is not there."""

from __future__ import annotations

from itertools import pairwise

import pytest

from benchmarks.pipedream_profiles import Gpu, mixed, pipedream_layers, pipedream_problem
from benchmarks.published_partitionings import MODELS, published_problem
from benchmarks.rivals import pipedream
from benchmarks.shared_data import DataAbsentError, data_file

GIGABYTE = 1e9


@pytest.fixture(autouse=True)
def _data() -> None:
    try:
        data_file("pipedream", "vgg16", "graph.txt")
    except DataAbsentError as reason:
        pytest.skip(str(reason))


# golden values of the problem's specification: speeds 1, 1 and 1e9 byte/s; 1, 1, 1, 1 and 1e10 byte/s
@pytest.mark.parametrize(
    ("num_gpus", "rate", "bottleneck_s", "digits"), [(2, 1, 0.411041792, 1e-12), (4, 10, 0.235590, 5e-7)]
)
def test_vgg16_has_the_golden_bottleneck(
    num_gpus: int, rate: int, bottleneck_s: float, digits: float
) -> None:
    problem = pipedream_problem("vgg16", [Gpu()] * num_gpus, byte_per_s=rate * GIGABYTE)
    plan = pipedream.plan(problem)  # exact on equal nodes without limits
    assert plan is not None
    assert problem.objective(plan) == pytest.approx(bottleneck_s, abs=digits)


def test_the_profiles_have_the_layers_of_the_networks() -> None:
    names = [item["name"] for item in pipedream_layers("vgg16", with_skips=False)]
    assert sum(name.startswith("Conv2d") for name in names) == 13
    assert sum(name.startswith("Linear") for name in names) == 3
    assert not any(name.startswith("Input") for name in names)


def test_parameters_are_those_of_the_network() -> None:
    # 138,357,544 parameters of VGG-16 and 25,557,032 of ResNet-50, K. Simonyan 2015 and K. He 2016
    for model, published in (("vgg16", 138_357_544), ("resnet50", 25_557_032)):
        layers = pipedream_layers(model, with_skips=True)
        assert sum(item["parameters"] for item in layers) == published


def test_skip_connections_cross_the_cuts_of_resnet50() -> None:
    problem = pipedream_problem("resnet50", mixed(4), byte_per_s=GIGABYTE)
    cuts, layers = problem.pipeline.cut_bytes, problem.instance.model.layers
    chained = [before.output_bytes for before, _ in pairwise(layers)]
    assert sum(cut > output for cut, output in zip(cuts[1:], chained, strict=False)) > 50


@pytest.mark.parametrize("model", MODELS)
def test_a_published_instance_has_its_accelerators_and_a_plan(model: str) -> None:
    problem = published_problem(model)
    assert [item.type for item in problem.instance.network.nodes] == ["accelerator"] * 6 + ["cpu"]
    assert pipedream.plan(problem) is not None
