"""Contributions: by importance, by trials, and from a file."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from tiny_workloads import tiny_workload

from edgeplan.errors import UsageError
from edgeplan.runtime.sparse import TracedLayer
from edgeplan.runtime.sparse.measured import Contributions, gained, probed, read_contributions
from edgeplan.runtime.sparse.workload import Importance

RATIOS = (0.25, 0.5, 1.0)
LAYERS = [TracedLayer(name, in_channels=4, bias_parameters=2) for name in ("first", "second")]
SQUARES = {
    "first": torch.tensor([1.0, 4.0, 2.0, 3.0]).double(),
    "second": torch.tensor([0.0, 0.0, 5.0, 0.0]).double(),
}


def test_a_ratio_brings_its_most_important_channels_and_a_depth_its_biases() -> None:
    found = probed(Importance(SQUARES, {"first": 0.5, "second": 0.25}), LAYERS, RATIOS)
    assert found.weights == {
        "first": {0.25: 4.0, 0.5: 7.0, 1.0: 10.0},
        "second": {0.25: 5.0, 0.5: 5.0, 1.0: 5.0},
    }
    assert found.depths == (0.0, 0.25, 0.75)


def test_scaled_contributions_of_everything_are_a_hundred() -> None:
    scaled = probed(Importance(SQUARES, {"first": 4.5, "second": 0.5}), LAYERS, RATIOS).scaled()
    assert scaled.weights["first"] == {0.25: 20.0, 0.5: 35.0, 1.0: 50.0}
    assert scaled.depths == (0.0, 2.5, 25.0)
    assert (scaled.told["scaled_by"], scaled.told["sum_of_all"]) == (5.0, 100.0)


def test_contributions_of_nothing_stay_nothing() -> None:
    nothing = Contributions({"first": {1.0: 0.0}}, (0.0, 0.0), {})
    assert nothing.scaled().weights == {"first": {1.0: 0.0}}
    assert nothing.scaled().told["sum_of_all"] == 0.0


def test_more_channels_never_bring_less() -> None:
    workload = tiny_workload()
    found = probed(workload.importance(), workload.layers(2), RATIOS)
    for ratios in found.weights.values():
        assert all(low <= high for low, high in pairwise(ratios.values()))
    assert all(low <= high for low, high in pairwise(found.depths))


def test_gains_are_points_of_accuracy_shared_out_by_importance() -> None:
    workload = tiny_workload()
    layers = workload.layers(2)[-2:]
    told: list[tuple[int, int]] = []
    found = gained(
        workload, layers, RATIOS, num_steps=3, on_progress=lambda done, total: told.append((done, total))
    )
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert len(found.depths) == 3
    assert all(gain >= 0 for gain in found.depths)
    for name, ratios in found.weights.items():
        importance = workload.importance()
        shares = [importance.of_weights(name, ratio) / importance.of_weights(name, 1.0) for ratio in RATIOS]
        assert list(ratios.values()) == pytest.approx([ratios[1.0] * share for share in shares])


def test_a_layer_that_learns_gains_what_training_it_alone_gains() -> None:
    workload = tiny_workload()
    layers = [layer for layer in workload.layers(2) if layer.name == "classifier"]
    gain = gained(workload, layers, [1.0], num_steps=10).weights["classifier"][1.0]
    module = workload.start().requires_grad_(False)
    weight = module.get_parameter("classifier.weight").requires_grad_(True)
    optimizer = torch.optim.SGD([weight], lr=0.01, momentum=0.9)
    for step in range(10):
        images, labels = workload.any_batch(step, 32)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(module(images).logits, labels).backward()
        optimizer.step()
    before, after = (workload.evaluate(network).accuracy for network in (workload.start(), module))
    assert gain == pytest.approx(max(0.0, 100 * (after - before)))


def csv_file(folder: Path, *rows: str, header: str = "layer,ratio,contribution") -> Path:
    path = folder / "mine.csv"
    path.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
    return path


def test_a_file_gives_weights_and_biases_as_they_are(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "first,0.5,1.5", "second,1,4", "second,0,2", "first,0,0.25")
    found = read_contributions(path, LAYERS, RATIOS)
    assert found.weights == {
        "first": {0.25: 0.0, 0.5: 1.5, 1.0: 0.0},
        "second": {0.25: 0.0, 0.5: 0.0, 1.0: 4.0},
    }
    assert found.depths == (0.0, 2.0, 2.25)
    assert found.told["by"] == "mine.csv"


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("third,1,1", "mine.csv:2: 'third': must be a layer's name, first ... second; correct it"),
        (",1,1", "mine.csv:2: '': must be a layer's name"),
        ("first,0.3,1", "mine.csv:2: '0.3': must be one of the ratios 0, 0.25, 0.5, 1, 0 for the bias"),
        ("first,half,1", "mine.csv:2: 'half': must be one of the ratios"),
        ("first", "mine.csv:2: None: must be one of the ratios"),
        ("first,1,-1", "mine.csv:2: '-1': must be a number of at least 0; take 0 for what brings nothing"),
        ("first,1,nan", "mine.csv:2: 'nan': must be a number of at least 0"),
        ("first,1,inf", "mine.csv:2: 'inf': must be a number of at least 0"),
        ("first,1", "mine.csv:2: None: must be a number of at least 0"),
        ("first,1,1\nfirst,1.0,2", "mine.csv:3: first,1: stands earlier already; keep one of them"),
    ],
)
def test_a_row_that_does_not_fit_is_told_with_line_value_rule_and_remedy(
    tmp_path: Path, row: str, told: str
) -> None:
    with pytest.raises(UsageError) as raised:
        read_contributions(csv_file(tmp_path, row), LAYERS, RATIOS)
    assert told in str(raised.value)


def test_a_missing_column_is_told(tmp_path: Path) -> None:
    path = csv_file(tmp_path, header="layer,gain")
    with pytest.raises(UsageError, match=r"mine.csv:1: layer,gain: must name .*; add ratio, contribution"):
        read_contributions(path, LAYERS, RATIOS)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00", b""])
def test_a_file_that_is_no_text_is_told(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "mine.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(
        UsageError, match=r"cannot be read: .*; name a readable CSV file|must name the columns"
    ):
        read_contributions(path, LAYERS, RATIOS)
