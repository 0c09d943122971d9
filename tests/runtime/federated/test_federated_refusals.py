from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from federated_instances import problem, schedule

from edgeplan.errors import InvalidInputError, UsageError
from edgeplan.runtime.federated import RunSettings, prepare

ONE = schedule([{"node": "node-0"}])


def refusal(given: Any, what: Any, settings: RunSettings, out: Path) -> str:
    with pytest.raises(InvalidInputError) as caught:
        prepare(given, what, settings, out=out)
    assert not out.exists()
    return "\n".join(caught.value.lines())


def test_a_batch_larger_than_the_client_s_shard_is_refused_at_its_place(tmp_path: Path) -> None:
    large = schedule(
        [{"node": "node-0"}, {"node": "node-1"}], [{"node": "node-0"}, {"node": "node-1", "batch_size": 1400}]
    )
    line = refusal(problem(), large, RunSettings(), tmp_path / "out")
    assert line.startswith("/rounds/1/clients/1/batch_size: 1400: must be at most ")
    assert "the samples of node-1; use a smaller one" in line


def test_parameters_that_do_not_travel_as_float32_are_refused(tmp_path: Path) -> None:
    training = problem().to_document()["training"] | {"weight_bytes": 2}
    line = refusal(problem(training=training), ONE, RunSettings(), tmp_path / "out")
    assert line.startswith("/training/weight_bytes: 2: must be 4 for a run")


def test_a_schedule_of_nodes_that_are_not_there_is_refused(tmp_path: Path) -> None:
    line = refusal(problem(), schedule([{"node": "x"}]), RunSettings(), tmp_path / "out")
    assert line.startswith('/rounds/0/clients/0/node: "x": must be a node\'s id')


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (RunSettings(alpha=0.0), "alpha 0.0: must be above 0"),
        (RunSettings(threads=0), "threads 0: must be at least 1"),
        (RunSettings(learning_rate=-1.0), "learning_rate -1.0: must be above 0"),
        (RunSettings(emulation="some"), "--emulation some: must be one of"),
        (RunSettings(data="some"), "data 'some': must be 'digits', 'topics' or"),
    ],
)
def test_settings_out_of_range_are_refused(settings: RunSettings, line: str, tmp_path: Path) -> None:
    assert refusal(problem(), ONE, settings, tmp_path / "out").startswith(line)


def test_more_nodes_than_batches_of_images_are_refused(tmp_path: Path) -> None:
    training = problem().to_document()["training"] | {"batch_size": 2000}
    with pytest.raises(UsageError, match="1438 samples are too few"):
        prepare(problem(training=training), ONE, RunSettings(), out=tmp_path / "out")
