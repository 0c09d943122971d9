"""MCUNetV3's memory model agrees with the published figures, and its instances come in any budgets."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from edgeplan.errors import UsageError
from edgeplan.models.sparse_update import SparsePlan, SparseUpdate
from edgeplan.models.sparse_update.mcunetv3 import mobilenetv2
from edgeplan.models.sparse_update.mcunetv3_instance import mcunetv3_document, read_gains
from edgeplan.solvers.sparse_update.memory_fronts import chosen, memory_fronts

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


def test_the_fronts_fill_any_budget_with_a_feasible_plan() -> None:
    budgets = [kilobytes * 1024 for kilobytes in range(50, 150, 15)]
    problem = SparseUpdate.from_document(mcunetv3_document(read_gains(measured()), budgets))
    layers = problem.instance.layers
    fronts = memory_fronts(
        [[(option.memory_bytes, option.contribution) for option in layer.options] for layer in layers],
        max(budgets),
    )
    brought, devices = [], []
    for device in problem.instance.devices:
        best = (0.0, 0, 0)
        for depth, front in enumerate(fronts):
            biases = sum(layer.bias_bytes for layer in layers[len(layers) - depth :])
            index = front.best_within(device.memory_bytes - problem.instance.base_bytes - biases)
            if index >= 0:
                best = max(best, (float(front.value[index]), depth, index))
        value, depth, index = best
        brought.append(value)
        updates = [
            {
                "layer": layers[len(layers) - 1 - back].name,
                "ratio": layers[len(layers) - 1 - back].options[k].ratio,
            }
            for back, k in chosen(fronts, depth, index).items()
        ]
        devices.append({"id": device.id, "depth": depth, "updates": updates})
    check = problem.check(SparsePlan.from_document({"devices": devices}))
    assert check.feasible
    assert check.metrics is not None
    assert [device["contribution"] for device in check.metrics["devices"]] == pytest.approx(brought)
    assert brought == sorted(brought)


@pytest.mark.parametrize("text", ["index,gain\n1,2\n", "index,accuracy_gain_points\nx,1\n"])
def test_a_file_with_other_columns_or_words_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "gains.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="accuracy_gain_points"):
        read_gains(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_gains(tmp_path / "none.csv")
