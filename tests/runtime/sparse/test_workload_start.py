"""The start: trained once, kept in a file, the same for the same settings."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_workloads import TINY, tiny_workload
from torch import nn
from torch.nn import functional
from torch.testing import assert_close

from edgeplan.errors import UsageError
from edgeplan.runtime.sparse import traced_layers
from edgeplan.runtime.sparse.workload import Workload, is_start_of, notes_of, scores_of
from edgeplan.runtime.sparse.workload.images import read_purposes
from edgeplan.runtime.sparse.workload.scoring import loss_of, score
from edgeplan.runtime.sparse.workload.settling import average_statistics, divide_deviations_out
from edgeplan.runtime.sparse.workload.start import default_folder


def test_a_start_made_anew_is_the_same_to_the_bit(tmp_path: Path) -> None:
    assert Workload(TINY, tmp_path).fingerprint() == tiny_workload().fingerprint()


def test_a_start_is_trained_once_and_then_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeplan.runtime.sparse.workload.workload.pretrain", None)
    again = Workload(TINY, tiny_workload().folder)
    assert again.fingerprint() == tiny_workload().fingerprint()
    assert [item.name for item in again.path.parent.iterdir()] == [again.path.name]


def test_a_start_has_learnt_what_it_was_trained_on_and_not_the_task() -> None:
    workload = tiny_workload()
    seen = score(workload.start(), read_purposes(TINY.image_size, TINY.seed).start.batches(256))
    assert seen.loss < 1.8  # guessing costs log 10 = 2.303
    assert workload.evaluate(workload.start()).loss > 2.5


def test_dense_training_learns_the_task() -> None:
    workload = tiny_workload()
    module = workload.start()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.003, momentum=0.9)
    for step in range(40):
        optimizer.zero_grad()
        loss_of(module, workload.any_batch(step, 32)).backward()
        optimizer.step()
    assert workload.evaluate(module).loss < workload.evaluate(workload.start()).loss - 0.5


def test_every_start_is_a_network_of_its_own_in_evaluation_mode() -> None:
    one, other = tiny_workload().start(), tiny_workload().start()
    assert not one.training
    with torch.no_grad():
        for parameter in one.parameters():
            parameter.zero_()
    assert_close(other.state_dict(), tiny_workload().start().state_dict(), rtol=0, atol=0)


def test_settings_of_the_task_alone_share_a_start_and_others_do_not() -> None:
    of_task = TINY.model_copy(update={"num_devices": 9, "alpha": 0.5, "learning_rate": 0.1, "momentum": 0.0})
    assert of_task.start_key == TINY.start_key
    for other in ({"seed": 1}, {"width": 0.2}, {"image_size": 9}, {"pretraining_epochs": 2}):
        assert TINY.model_copy(update=other).start_key != TINY.start_key


def test_neither_threads_nor_pytorch_s_generator_are_touched(tmp_path: Path) -> None:
    torch.manual_seed(5)
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    Workload(TINY, tmp_path).start()
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


def test_progress_is_told_after_each_step(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    Workload(TINY, tmp_path).prepare(lambda done, total: told.append((done, total)))
    assert told == [(step, 66) for step in range(1, 67)]


def test_a_broken_file_is_told_with_its_remedy(tmp_path: Path) -> None:
    workload = Workload(TINY, tmp_path)
    workload.path.write_bytes(tiny_workload().path.read_bytes()[:1000])
    with pytest.raises(UsageError, match=r"cannot be read: .*; delete it, and it is made anew"):
        workload.start()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot be written: .*EDGEPLAN_CACHE"):
        Workload(TINY, tmp_path / "file" / "folder").prepare()


def test_the_folder_is_the_one_named_or_the_user_s(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("EDGEPLAN_CACHE", raising=False)
    assert default_folder() == tmp_path / "edgeplan"
    monkeypatch.setenv("EDGEPLAN_CACHE", str(tmp_path / "mine"))
    assert Workload(TINY).path.parent == tmp_path / "mine"


def test_an_instance_made_from_another_start_is_noticed() -> None:
    notes = notes_of(tiny_workload())
    assert is_start_of(tiny_workload(), notes)
    assert is_start_of(tiny_workload(), {})
    assert not is_start_of(tiny_workload(), {**notes, "x-start-sha256": "0" * 64})


def test_dividing_deviations_out_changes_nothing_but_the_size_of_gradients() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, groups=8),
        nn.BatchNorm2d(8),
        nn.Flatten(),
        nn.Linear(8 * 16, 4),
    ).double()
    batches = [0.1 * torch.randn(16, 3, 8, 8, dtype=torch.float64) for _ in range(3)]
    average_statistics(module, batches)
    layers = traced_layers(module, batches[0])
    before = module(batches[0])
    divide_deviations_out(module, layers)
    assert_close(module(batches[0]), before, rtol=1e-10, atol=1e-10)
    assert_close(module[1].running_var + module[1].eps, torch.ones(8, dtype=torch.float64))


def test_averaged_statistics_are_the_means_over_batches() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.BatchNorm2d(2))
    batches = [torch.randn(8, 2, 4, 4) + shift for shift in (0.0, 1.0)]
    average_statistics(module, batches)
    means = torch.stack([batch.mean((0, 2, 3)) for batch in batches]).mean(0)
    assert_close(module[0].running_mean, means)
    assert not module.training


def test_a_score_is_mean_loss_and_share_of_right_answers() -> None:
    module = nn.Linear(4, 3)
    images, labels = torch.randn(10, 4, generator=torch.Generator().manual_seed(0)), torch.arange(10) % 3
    found = score(module, [(images[:6], labels[:6]), (images[6:], labels[6:])])
    scores = scores_of(module(images))
    assert found.loss == pytest.approx(functional.cross_entropy(scores, labels).item())
    assert found.accuracy == pytest.approx((scores.argmax(1) == labels).float().mean().item())
    assert module.training
