"""Images of the devices: shares of their own, the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_workloads import TINY, tiny_workload

from edgeplan.errors import InvalidInputError, UsageError
from edgeplan.runtime.data.images import read_images
from edgeplan.runtime.sparse.workload import Workload, WorkloadSettings, settings_in
from edgeplan.runtime.sparse.workload.images import read_purposes, split


def test_a_batch_has_images_of_the_size_asked_for_and_their_labels() -> None:
    images, labels = Workload(TINY.model_copy(update={"image_size": 24})).batch(1, step=0, batch_size=5)
    assert images.shape == (5, 3, 24, 24)
    assert (float(images.min()), float(images.max())) == (0.0, 1.0)
    assert (labels.dtype, labels.shape) == (torch.int64, (5,))


def test_the_same_seed_gives_the_same_batches_and_another_gives_others() -> None:
    first, again = (Workload(TINY).batch(2, step=7, batch_size=8) for _ in range(2))
    other = Workload(TINY.model_copy(update={"seed": 1})).batch(2, step=7, batch_size=8)
    assert all(torch.equal(one, two) for one, two in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])


@pytest.mark.parametrize("alpha", [None, 0.3])
def test_devices_share_out_all_images_of_the_task(alpha: float | None) -> None:
    task = read_purposes(8, seed=0).task
    shares = split(task, 7, alpha, seed=0)
    assert sum(len(share.images.labels) for share in shares) == len(task.images.labels)
    pixels = np.concatenate([share.images.pixels.reshape(-1, 64) for share in shares])
    everything = task.images.pixels.reshape(-1, 64)
    assert sorted(pixels.tolist()) == sorted(everything.tolist())


def test_without_alpha_the_devices_have_equally_many_images_of_every_kind() -> None:
    shares = split(read_purposes(8, seed=0).task, 7, None, seed=0)
    counts = np.array([np.bincount(share.images.labels, minlength=10) for share in shares])
    assert np.ptp(counts.sum(axis=1)) <= 1
    assert counts.min() > 0


def test_a_device_sees_each_of_its_images_once_an_epoch() -> None:
    workload = Workload(TINY.model_copy(update={"num_devices": 100}))
    first, second = (workload.batch(50, step, batch_size=7)[0].flatten(1).tolist() for step in (0, 1))
    assert first != second
    assert sorted(first) == sorted(second)


def test_no_image_is_for_two_purposes_and_those_of_the_task_are_turned() -> None:
    purposes, (training, test) = read_purposes(8, seed=0), read_images("digits", 0)
    first = len(purposes.start.images.labels)
    assert np.array_equal(purposes.start.images.pixels, training.pixels[:first])
    assert np.array_equal(np.rot90(purposes.task.images.pixels, -1, (2, 3)), training.pixels[first:])
    assert np.array_equal(np.rot90(purposes.held_out.images.pixels, -1, (2, 3)), test.pixels)


def test_more_devices_than_images_are_refused() -> None:
    with pytest.raises(UsageError, match="5000 devices: must be at most the 719 images; use fewer"):
        Workload(TINY.model_copy(update={"num_devices": 5000})).batch(0, 0, 1)


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match="device 3: must be one of 3, from 0"):
        tiny_workload().batch(3, 0, 1)


def test_settings_go_to_json_and_back() -> None:
    settings = WorkloadSettings(alpha=0.5, width=1.0, seed=3)
    assert settings_in({"x-workload": settings.to_document()}) == settings


def test_a_faulty_note_is_told_with_every_pointer() -> None:
    note = {"width": -1.0, "image_size": 4, "colour": "red"}
    with pytest.raises(InvalidInputError) as raised:
        settings_in({"x-workload": note})
    assert [line.split(":")[0] for line in raised.value.lines()] == [
        "/x-workload/colour",
        "/x-workload/image_size",
        "/x-workload/width",
    ]


def test_an_instance_without_the_note_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^/x-workload: is missing: must say .*; make the instance by"):
        settings_in({"format": "edgeplan/1"})
