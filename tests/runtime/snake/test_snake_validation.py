from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from snake_instances import OWN, SHARED, document, plan, problem, training
from torch import nn

from edgeplan.errors import UsageError
from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.runtime.data.samples import read_samples
from edgeplan.runtime.learning.validation import input_size
from edgeplan.runtime.profiling import build
from edgeplan.runtime.snake import RunSettings, prepare
from edgeplan.runtime.snake.validation import validated

THREE_STAGES = plan(*((name,) for name in OWN))


def _refusal(settings: RunSettings | None = None, **members: Any) -> str:
    given = problem(**{"shared_layers": list(SHARED)} | members)
    with pytest.raises(UsageError) as caught:
        validated(given, THREE_STAGES, settings or RunSettings())
    assert len(caught.value.lines()) == 1
    assert "\n" not in caught.value.message
    return caught.value.message


def test_a_plan_with_violations_is_refused() -> None:
    assert "limits/max_nodes" in _refusal(limits={"max_nodes": 2})


def test_weights_that_are_not_float32_are_refused() -> None:
    assert _refusal(training=training(weight_bytes=2)).startswith("/training/weight_bytes: 2")


def test_an_optimizer_that_does_not_exist_is_refused() -> None:
    assert "0 (SGD), 4 (SGD with momentum), 8 (Adam)" in _refusal(training=training(optimizer_bytes=6))


def test_another_number_of_parameters_is_refused_with_both_numbers() -> None:
    model = document()["model"]
    model["layers"][1]["parameters"] = 5
    message = _refusal(model=model)
    assert message.startswith("/model/layers/1/parameters: 5: layer features.2")
    assert "has 18496 parameters" in message


def test_another_network_is_refused_by_the_name_of_its_layer() -> None:
    assert "features" in _refusal(RunSettings(network="vgg11"))


def test_a_network_that_is_not_float32_is_refused() -> None:
    model = document("snake_networks:half")["model"]
    given = problem(model=model, num_nodes=1)
    with pytest.raises(UsageError, match=r"torch.float16"):
        validated(given, plan(("1", "3", "5")), RunSettings())


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (RunSettings(rounds=0), "rounds 0"),
        (RunSettings(alpha=0.0), "alpha 0.0"),
        (RunSettings(alpha=float("inf")), "alpha inf"),
        (RunSettings(learning_rate=-1.0), "learning_rate -1.0"),
        (RunSettings(baseline="best"), "baseline 'best'"),
        (RunSettings(threads=0), "threads 0"),
        (RunSettings(schedule="steep"), "schedule 'steep'"),
        (RunSettings(distill=-0.5), "distill -0.5"),
        (RunSettings(distill_above=float("nan")), "distill_above nan"),
        (RunSettings(temperature=0.0), "temperature 0.0"),
    ],
)
def test_a_setting_out_of_range_is_refused(settings: RunSettings, named: str) -> None:
    assert _refusal(settings).startswith(named)


def test_the_pipeline_schedule_is_refused() -> None:
    given = LayerAssignment.from_document(document() | {"schedule": "pipeline"})
    with pytest.raises(UsageError, match="serial"):
        validated(given, THREE_STAGES, RunSettings())


def test_unknown_data_is_refused(tmp_path: Path) -> None:
    given = problem(shared_layers=list(SHARED))
    with pytest.raises(UsageError, match="must be 'digits', 'topics' or 'cifar10:FOLDER'"):
        prepare(given, THREE_STAGES, RunSettings(data="mnist"), out=tmp_path)


def test_images_are_enlarged_only_for_a_network_that_needs_it() -> None:
    digits, _ = read_samples("digits", seed=0)
    assert input_size(build("small-vgg"), digits) is None
    assert input_size(build("vgg11"), digits) == (3, 32, 32)


def test_too_few_classes_are_refused() -> None:
    digits, _ = read_samples("digits", seed=0)
    network = build("small-vgg")[:-1]
    with pytest.raises(UsageError, match="does not take these images"):
        input_size(network[:1], digits)


def test_text_goes_to_a_network_of_characters_and_to_no_other() -> None:
    topics, _ = read_samples("topics", seed=0)
    assert input_size(build("char-transformer"), topics) is None
    with pytest.raises(UsageError, match="does not take these characters"):
        input_size(build("small-vgg"), topics)


def test_images_are_refused_by_a_network_of_characters() -> None:
    digits, _ = read_samples("digits", seed=0)
    with pytest.raises(UsageError, match="does not take these images"):
        input_size(build("char-transformer"), digits)


def test_a_network_with_one_answer_for_a_whole_window_is_refused() -> None:
    topics, _ = read_samples("topics", seed=0)
    network = nn.Sequential(build("char-transformer"), nn.Flatten())
    with pytest.raises(UsageError, match=r"need \(1, 64, 127\)"):
        input_size(network, topics)
