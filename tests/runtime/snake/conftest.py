"""Runs that several tests look at, each made once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from snake_instances import OWN, SHARED, Finished, plan, problem, training

from edgeplan.runtime.snake import Job, RunSettings, run


def _finished(folder: Path, given: Any, stages: Any, settings: RunSettings) -> Finished:
    report = run(given, stages, settings, out=folder)
    return Finished(Job.read(folder / "job.json"), report)


@pytest.fixture(scope="session")
def by_peers(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Three stages, shared layers trained, momentum, with federated averaging after it."""
    given = problem(shared_layers=list(SHARED), training=training(local_steps=12))
    settings = RunSettings(rounds=5, emulation="none", baseline="fedavg", seed=3)
    return _finished(tmp_path_factory.mktemp("peers"), given, plan(*((name,) for name in OWN)), settings)


@pytest.fixture(scope="session")
def by_server(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Two stages and a server, shared layers frozen, plain SGD, links and windows imposed."""
    given = problem(
        num_nodes=2,
        shared_layers=list(SHARED),
        train_shared=False,
        transport="server",
        server="hub",
        training=training(optimizer_bytes=0),
    )
    return _finished(
        tmp_path_factory.mktemp("server"), given, plan(OWN[:1], OWN[1:]), RunSettings(rounds=2, seed=1)
    )


@pytest.fixture(scope="session")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """One stage that trains everything, with Adam, inside a window."""
    given = problem(training=training(optimizer_bytes=8))
    document = given.to_document()
    document["network"]["nodes"][0]["available_s"] = [[0.05, 1000.0]]
    given = given.replace(network=document["network"])
    every_layer = tuple(layer.name for layer in given.instance.model.layers)
    return _finished(tmp_path_factory.mktemp("alone"), given, plan(every_layer), RunSettings(rounds=1))


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Make sums come out bit for bit as in the workers, which have one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
