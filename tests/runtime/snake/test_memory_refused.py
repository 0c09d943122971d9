"""A plan that the problem accepts, and that takes more memory than a node has."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from snake_instances import OWN, Finished, document, plan

from edgeplan.errors import RunError
from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.runtime.snake import RunSettings, run

LAYERS = ("features.0", *OWN, "classifier")


def understating(memory_bytes: int) -> LayerAssignment:
    """The small VGG, whose figures by hand tell less than it saves, on a node with little memory."""
    changed = document(num_nodes=1)
    changed["network"]["nodes"][0]["memory_bytes"] = memory_bytes
    return LayerAssignment.from_document(changed)


def test_a_plan_that_does_not_fit_dies_with_one_line(tmp_path: Path) -> None:
    given = understating(1_200_000)
    assert given.check(plan(LAYERS)).feasible
    told = r"^node node-0 \(rank 0\): a step takes \d+ bytes, memory_bytes 1200000 leaves 1200000 for it; .*$"
    with pytest.raises(RunError, match=told):
        run(given, plan(LAYERS), RunSettings(rounds=1, emulation="process"), out=tmp_path)
    assert not (tmp_path / "run.json").exists()


@pytest.mark.parametrize(("emulation", "memory_limit"), [("process", False), ("none", True)])
def test_without_the_limit_it_runs(tmp_path: Path, emulation: str, memory_limit: bool) -> None:
    settings = RunSettings(rounds=1, emulation=emulation, memory_limit=memory_limit)
    report = run(understating(1_200_000), plan(LAYERS), settings, out=tmp_path)
    assert report["passed"]
    assert report["stages"][0]["measured"]["memory_bytes"] > 1_200_000
    assert report["stages"][0]["predicted"]["memory_bytes"] < 1_200_000


def test_the_report_has_the_limit_and_the_peak_of_every_stage(by_peers: Finished) -> None:
    for stage in by_peers.report["stages"]:
        assert stage["predicted"]["peak_bytes"] > 0
        assert stage["predicted"]["peak_moment"] in ("forward", "loss", "backward", "update")
    off = [
        abs(stage["measured"]["memory_bytes"] / stage["predicted"]["peak_bytes"] - 1)
        for stage in by_peers.report["stages"]
    ]
    assert by_peers.report["deviations"]["memory"] == pytest.approx(sorted(off)[len(off) // 2])
