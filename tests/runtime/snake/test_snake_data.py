from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeplan.errors import UsageError

pytest.importorskip("torch")

from edgeplan.runtime.data.images import CIFAR_RECORD_BYTES, CIFAR_TEST, CIFAR_TRAIN, read_images
from edgeplan.runtime.data.samples import read_samples
from edgeplan.runtime.data.shards import read_shard, sample_order, split_by_label, write_samples


@given(
    labels=st.lists(st.integers(0, 4), min_size=12, max_size=80),
    num_nodes=st.integers(1, 6),
    alpha=st.sampled_from([0.01, 0.5, 100.0]),
    seed=st.integers(0, 2**32),
)
def test_every_image_goes_to_one_node_and_every_node_gets_enough(
    labels: list[int], num_nodes: int, alpha: float, seed: int
) -> None:
    array = np.array(labels, dtype=np.uint8)
    shards = split_by_label(array, num_nodes, alpha=alpha, at_least=2, seed=seed)
    assert sorted(np.concatenate(shards).tolist()) == list(range(len(labels)))
    assert all(len(shard) >= 2 for shard in shards)


def test_the_same_seed_gives_the_same_shards_and_another_seed_others() -> None:
    labels = np.repeat(np.arange(5, dtype=np.uint8), 40)
    first, again, other = (split_by_label(labels, 3, alpha=2.0, at_least=4, seed=s) for s in (0, 0, 1))
    assert [shard.tolist() for shard in first] == [shard.tolist() for shard in again]
    assert [shard.tolist() for shard in first] != [shard.tolist() for shard in other]


def test_a_small_alpha_gives_more_uneven_shards() -> None:
    labels = np.repeat(np.arange(10, dtype=np.uint8), 100)

    def spread(alpha: float) -> float:
        shards = split_by_label(labels, 5, alpha=alpha, at_least=1, seed=0)
        counts = [np.bincount(labels[shard], minlength=10) for shard in shards]
        return float(np.std(counts))

    assert spread(0.1) > 2 * spread(100.0)


def test_too_few_images_for_the_nodes_are_refused() -> None:
    with pytest.raises(UsageError, match="3 samples are too few for 2 nodes"):
        split_by_label(np.zeros(3, dtype=np.uint8), 2, alpha=1.0, at_least=2, seed=0)


def test_a_node_goes_through_all_its_images_before_it_repeats_one() -> None:
    drawn = np.concatenate([sample_order(0, 1, 7, start, 3) for start in range(0, 21, 3)])
    epochs = drawn.reshape(3, 7)
    assert all(sorted(epoch.tolist()) == list(range(7)) for epoch in epochs)
    assert epochs[0].tolist() != epochs[1].tolist()


def test_digits_are_split_once_into_training_and_test() -> None:
    training, test = read_images("digits", seed=0)
    assert (len(training.labels), len(test.labels)) == (1438, 359)
    assert training.pixels.shape[1:] == (1, 8, 8)
    assert int(training.pixels.max()) == training.white


@pytest.mark.parametrize("data", ["digits", "topics"])
def test_samples_survive_the_files(data: str, tmp_path: Path) -> None:
    training, _ = read_samples(data, seed=0)
    write_samples(training, tmp_path, "0")
    again = read_shard(tmp_path, "0", training.white)
    assert again.white == training.white
    for part in ("inputs", "targets", "groups"):
        assert np.array_equal(getattr(again, part), getattr(training, part))


def _write_cifar(folder: Path, num_images: int) -> None:
    for number, name in enumerate((*CIFAR_TRAIN, CIFAR_TEST)):
        records = np.full((num_images, CIFAR_RECORD_BYTES), 10 * number, dtype=np.uint8)
        records[:, 0] = np.arange(num_images) % 10
        (folder / name).write_bytes(records.tobytes())


def test_the_binary_cifar_10_is_read_from_a_folder(tmp_path: Path) -> None:
    _write_cifar(tmp_path, 4)
    training, test = read_images(f"cifar10:{tmp_path}", seed=0)
    assert training.pixels.shape == (20, 3, 32, 32)
    assert test.labels.tolist() == [0, 1, 2, 3]
    assert int(training.pixels[-1, 0, 0, 0]) == 40


def test_the_pickled_cifar_10_is_refused_because_it_would_run_code(tmp_path: Path) -> None:
    (tmp_path / "data_batch_1").write_bytes(b"")
    with pytest.raises(UsageError, match="pickled version"):
        read_images(f"cifar10:{tmp_path}", seed=0)


def test_a_folder_without_cifar_10_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"data_batch_1\.bin is missing"):
        read_images(f"cifar10:{tmp_path}", seed=0)


def test_a_truncated_cifar_10_is_refused(tmp_path: Path) -> None:
    _write_cifar(tmp_path, 1)
    (tmp_path / CIFAR_TEST).write_bytes(b"12")
    with pytest.raises(UsageError, match="no multiple of 3073"):
        read_images(f"cifar10:{tmp_path}", seed=0)
