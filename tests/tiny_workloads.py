"""A workload small enough for tests, whose start is made once for all of them."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("transformers")

from edgeplan.runtime.sparse.workload import Workload, WorkloadSettings

TINY = WorkloadSettings(width=0.1, image_size=12, pretraining_epochs=3, num_devices=3)


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()


@cache
def tiny_workload() -> Workload:
    workload = Workload(TINY, Path(_folder().name))
    workload.prepare()
    return workload
