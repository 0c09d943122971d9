"""MCUNetV3's memory model agrees with the published figures, and its instances come in any budgets."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import edgeplan
from edgeplan.errors import UsageError
from edgeplan.models.result import Status
from edgeplan.models.sparse_update import SparseUpdate
from edgeplan.models.sparse_update.mcunetv3 import mobilenetv2
from edgeplan.models.sparse_update.mcunetv3_instance import mcunetv3_document, read_gains

MEASURED = Path(__file__).resolve().parents[4] / "shared" / "data" / "mcunetv3-mbv2-w035-cifar10.csv"


def measured() -> Path:
    if not MEASURED.is_file():
        pytest.skip(f"the measured contributions are not there: {MEASURED}")
    return MEASURED


def test_weights_take_the_published_memory() -> None:
    layers = mobilenetv2()
    with measured().open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 51
    for row in rows:
        layer = layers[int(row["index"])]
        assert (layer.kind, layer.in_size, layer.out_size) == (
            row["kind"],
            int(row["in_size"]),
            int(row["out_size"]),
        )
        kilobytes = layer.weight_bytes(1.0) / 1024
        assert kilobytes == pytest.approx(float(row["weight_update_extra_kb"]), abs=0.01)


def test_more_memory_brings_more_and_any_budget_has_a_plan() -> None:
    budgets = [kilobytes * 1024 for kilobytes in range(50, 150, 15)]
    problem = SparseUpdate.from_document(mcunetv3_document(read_gains(measured()), budgets))
    result = edgeplan.solve(problem)
    assert result.status is Status.OPTIMAL
    assert result.metrics is not None
    brought = [device["contribution"] for device in result.metrics["devices"]]
    assert brought == sorted(brought)
    assert all(device["memory_share"] > 0.95 for device in result.metrics["devices"])


@pytest.mark.parametrize("weight", [0.1, 1.0])
def test_seven_devices_and_51_layers_are_proven_with_aggregation_in_the_objective(weight: float) -> None:
    budgets = [kilobytes * 1024 for kilobytes in range(50, 150, 15)]
    document = mcunetv3_document(read_gains(measured()), budgets)
    document["objective"]["aggregation_s"] = weight
    assert edgeplan.solve(SparseUpdate.from_document(document)).status is Status.OPTIMAL


@pytest.mark.parametrize("text", ["index,gain\n1,2\n", "index,accuracy_gain_points\nx,1\n"])
def test_a_file_with_other_columns_or_words_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "gains.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="accuracy_gain_points"):
        read_gains(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_gains(tmp_path / "none.csv")
