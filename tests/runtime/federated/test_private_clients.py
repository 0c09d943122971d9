"""Schedules of federated averaging with differential privacy."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("opacus")

import torch
from federated_instances import CLIENTS, Finished, problem, schedule
from opacus.accountants import RDPAccountant
from rich.console import Console

from edgeplan.errors import UsageError
from edgeplan.runtime.federated import Job, RunSettings, prepare, render, run
from edgeplan.runtime.federated.averaging import weighted_mean
from edgeplan.runtime.federated.job import Ending
from edgeplan.runtime.federated.report.comparison import private_section
from edgeplan.runtime.learning.privacy.accounting import ORDERS
from edgeplan.runtime.learning.privacy.mechanism import Privacy
from edgeplan.runtime.learning.privacy.private_steps import PrivateSteps
from edgeplan.runtime.learning.training import Shard
from edgeplan.runtime.learning.workload import Workload, assign, flatten, optimizer_for
from edgeplan.runtime.profiling import build

PARTS = schedule(
    [{"node": "node-0"}, {"node": "node-1", "local_steps": 2, "batch_size": 8}],
    [{"node": "node-1", "local_steps": 1, "batch_size": 32}],
)
SETTINGS = RunSettings(emulation="none", noise=1.2, noise_seed=4, seed=6)


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("private")
    report = run(problem(clients=CLIENTS[:2]), PARTS, SETTINGS, out=folder)
    return Finished(Job.read(folder / "job.json"), report)


def test_epsilon_of_a_client_is_composed_over_rounds_with_batches_of_several_sizes(private: Finished) -> None:
    accountant, samples = RDPAccountant(), private.job.num_samples(1)
    for batch_size in (8, 8, 32):
        accountant.step(noise_multiplier=1.2, sample_rate=batch_size / samples)
    first, second = private.report["privacy"]["nodes"]
    assert (first["steps"], second["steps"]) == (3, 3)
    assert second["sample_rates"] == [8 / samples, 32 / samples]
    assert second["epsilon"] == pytest.approx(accountant.get_epsilon(1e-5, alphas=list(ORDERS)), rel=1e-12)


def test_what_is_averaged_is_what_noisy_steps_lead_to_and_losses_are_withheld(private: Finished) -> None:
    job, workload = private.job, Workload(build("small-vgg", seed=6))
    parameters = workload.parameters(workload.layers)
    everything = flatten(parameters)
    for number, parts in ((1, [(0, 16, 3), (1, 8, 2)]), (2, [(1, 32, 1)])):
        updates = []
        for rank, batch_size, count in parts:
            assign(parameters, everything)
            steps = PrivateSteps.of(Privacy(1.2, seed=4), batch_size, (number, rank))
            optimizer = optimizer_for(workload.train_only(workload.layers), 4, None)
            shard = Shard(job.read_samples(rank), None)
            steps.train(workload.module, optimizer, steps.batches(shard, count))
            updates.append(flatten(parameters))
        everything = weighted_mean(updates, [job.num_samples(rank) for rank, _, _ in parts])
    trained = np.load(job.folder / "parameters.npy", allow_pickle=False)
    assert torch.equal(torch.from_numpy(trained), everything)
    assert private.report["passed"], private.report["failures"]
    assert [one["train_loss"] for entry in private.report["rounds"] for one in entry["clients"]] == [None] * 3


def test_the_table_shows_epsilon_of_each_client(private: Finished) -> None:
    screen = StringIO()
    Console(file=screen, width=200).print(render(private.report))
    assert "privacy at delta 1e-05" in screen.getvalue()
    assert "epsilon, void by noise_seed" in screen.getvalue()
    for node in private.report["privacy"]["nodes"]:
        assert f"{node['epsilon']:.4g}" in screen.getvalue()


def test_a_client_that_is_lost_is_taken_to_have_trained_in_the_round_of_its_loss(private: Finished) -> None:
    for lost_in, steps in ((0, 0), (1, 2), (2, 3), (3, 3)):
        told = private_section(private.job, [{"node": "node-1", "round": lost_in}])
        assert told is not None
        assert [node["steps"] for node in told["nodes"]] == [3, steps]


def test_rounds_in_which_the_run_was_ended_count_twice(private: Finished) -> None:
    told = private_section(replace(private.job, endings=(Ending(1), Ending(1), Ending(2))), [])
    assert told is not None
    assert [node["steps"] for node in told["nodes"]] == [3, 2 + 1 + 2 * 1]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (replace(SETTINGS, noise=0.0), "noise 0.0: must be finite"),
        (replace(SETTINGS, noise=None), "noise_seed 4: says nothing without noise"),
        (replace(SETTINGS, delta=0.2), "delta 0.2: must be below 1 / "),
    ],
)
def test_what_has_no_guarantee_is_refused_in_one_line(
    tmp_path: Path, settings: RunSettings, told: str
) -> None:
    with pytest.raises(UsageError) as caught:
        prepare(problem(clients=CLIENTS[:2]), PARTS, settings, out=tmp_path)
    assert caught.value.message.startswith(told)
    assert not list(tmp_path.iterdir())
