"""A run that several tests look at, made once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("torch")

import torch
from federated_instances import Finished, problem, schedule

from edgeplan.runtime.federated import Job, RunSettings, run

PARTS = schedule(
    [{"node": "node-0"}, {"node": "node-1", "local_steps": 6, "batch_size": 8}, {"node": "node-2"}],
    [{"node": "node-2", "local_steps": 9, "weight": 0.5}, {"node": "node-0", "weight": 2.0}],
    [{"node": "node-1", "local_steps": 5, "batch_size": 32}],
    [{"node": "node-1", "batch_size": 5}, {"node": "node-0", "local_steps": 1}, {"node": "node-2"}],
)


@pytest.fixture(scope="session")
def partial(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Three clients that sit out rounds, with unequal steps and batches, and weights given in one round."""
    folder = tmp_path_factory.mktemp("partial")
    report = run(problem(), PARTS, RunSettings(emulation="none", seed=3), out=folder)
    return Finished(Job.read(folder / "job.json"), report)


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Make sums come out bit for bit as in the workers, which have one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
