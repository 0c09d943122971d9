"""The peak of a private step beside its prediction, and beside a plain one."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("opacus")

import torch

from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.runtime.learning.memory import peak_of_training, repeated_in_training
from edgeplan.runtime.learning.privacy.mechanism import Privacy
from edgeplan.runtime.learning.privacy.private_steps import PrivateSteps
from edgeplan.runtime.learning.training import Batch
from edgeplan.runtime.learning.workload import Workload
from edgeplan.runtime.profiling import build, profile
from edgeplan.runtime.report.peaks import predicted_peak

section_of = cache(profile)


def batch_of(network: str, size: int) -> Batch:
    if network == "char-transformer":
        return (torch.zeros(size, 64, dtype=torch.long),) * 2
    return torch.rand(size, 1, 8, 8), torch.zeros(size, dtype=torch.long)


def peaks(
    network: str, trained: list[int], optimizer_bytes: int, size: int
) -> tuple[dict[str, Any], int, int]:
    """Predicted of private steps, measured of them, and measured of plain ones."""
    section = section_of(network)
    problem = LayerAssignment.from_document(
        {
            "format": "edgeplan/1",
            "problem": "layer_assignment",
            "model": section,
            "network": {"nodes": [{"id": "node", "flops_per_s": 1e9, "memory_bytes": 10**9}]},
            "training": {"batch_size": size, "weight_bytes": 4, "gradient_bytes": 4}
            | {"optimizer_bytes": optimizer_bytes},
            "schedule": "serial",
        }
    )
    names = [section["layers"][index]["name"] for index in trained]
    workload, batch = Workload(build(network)), batch_of(network, size)
    steps = PrivateSteps.of(Privacy(1.0, seed=0), size, stream=())
    private, plain = (
        peak_of_training(
            workload, names, [batch] * 2, optimizer_bytes=optimizer_bytes, learning_rate=None, **how
        )
        for how in ({"stepping": steps.train}, {})
    )
    told = {
        "batch_bytes": sum(part.nbytes for part in batch),
        "repeated_bytes": repeated_in_training(workload, names, batch[0][:1]),
    }
    return predicted_peak(problem.serial, names, told, private=True), private, plain


@pytest.mark.parametrize("optimizer_bytes", [0, 4, 8])
@pytest.mark.parametrize("size", [1, 32])
@pytest.mark.parametrize("trained", [[0, 1, 7], [0, 5, 7], [6, 7], list(range(8))])
def test_a_private_visit_of_the_digits_network_is_within_2_percent(
    trained: list[int], size: int, optimizer_bytes: int
) -> None:
    predicted, measured, _ = peaks("digits-vgg", trained, optimizer_bytes, size)
    assert abs(measured / predicted["peak_bytes"] - 1) < 0.02


@pytest.mark.parametrize("optimizer_bytes", [0, 8])
@pytest.mark.parametrize("trained", [[0, 1, 5], list(range(6))])
def test_a_private_visit_of_the_transformer_is_within_4_percent(
    trained: list[int], optimizer_bytes: int
) -> None:
    predicted, measured, _ = peaks("char-transformer", trained, optimizer_bytes, 16)
    assert abs(measured / predicted["peak_bytes"] - 1) < 0.04


def test_private_steps_take_less_memory_than_plain_ones_of_a_batch_and_more_than_of_one_sample() -> None:
    for size, less in ((1, False), (32, True)):
        _, private, plain = peaks("digits-vgg", [0, 5, 7], 0, size)
        assert (private < plain) is less
