"""The peak of a real visit beside equation (12)."""

from __future__ import annotations

from functools import cache

import pytest

pytest.importorskip("torch")

import torch
from torch import nn

from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.layer_assignment.visit_peak import visit_peak
from edgeplan.runtime.learning.memory import peak_of_training, repeated_in_training
from edgeplan.runtime.learning.workload import Workload
from edgeplan.runtime.profiling import build, profile
from edgeplan.runtime.profiling.repeated import repeated_saved_bytes

SHAPE = {"digits-vgg": (1, 8, 8), "vgg11": (3, 32, 32)}


section_of = cache(profile)


def deviation(network: str, trained: list[int], optimizer_bytes: int, batch_size: int) -> float:
    """Measured over predicted, less one."""
    section = section_of(network)
    problem = LayerAssignment.from_document(
        {
            "format": "edgeplan/1",
            "problem": "layer_assignment",
            "model": section,
            "network": {"nodes": [{"id": "node", "flops_per_s": 1e9, "memory_bytes": 10**9}]},
            "training": {"batch_size": batch_size, "weight_bytes": 4, "gradient_bytes": 4}
            | {"optimizer_bytes": optimizer_bytes},
            "schedule": "serial",
        }
    )
    order = [layer["name"] for layer in section["layers"]]
    names = [order[index] for index in trained]
    workload = Workload(build(network), order)
    batch = torch.rand(batch_size, *SHAPE[network]), torch.zeros(batch_size, dtype=torch.long)
    measured = peak_of_training(
        workload, names, [batch] * 2, optimizer_bytes=optimizer_bytes, learning_rate=None
    )
    predicted = visit_peak(
        problem.serial,
        [order.index(name) for name in names],
        batch_bytes=batch[0].nbytes + batch[1].nbytes,
        repeated_bytes=repeated_in_training(workload, names, batch[0]),
    )
    return measured / predicted.num_bytes - 1


@pytest.mark.parametrize("optimizer_bytes", [0, 4, 8])
@pytest.mark.parametrize("batch_size", [1, 32, 200])
@pytest.mark.parametrize("own", range(1, 7))
def test_a_visit_of_the_digits_network_is_within_5_percent(
    own: int, batch_size: int, optimizer_bytes: int
) -> None:
    assert abs(deviation("digits-vgg", [0, own, 7], optimizer_bytes, batch_size)) < 0.05


@pytest.mark.parametrize("trained", [[0, 1, 2, 3, 8], [0, 5, 8], [0, 6, 7, 8]])
def test_a_visit_of_vgg11_is_within_2_percent(trained: list[int]) -> None:
    assert abs(deviation("vgg11", trained, 8, 4)) < 0.02


@pytest.mark.parametrize("batch_size", [1, 32, 200])
def test_training_everything_is_within_5_percent(batch_size: int) -> None:
    assert abs(deviation("digits-vgg", list(range(8)), 8, batch_size)) < 0.05


def test_a_frozen_prefix_has_more_at_hand_than_its_outputs_but_less_than_predicted() -> None:
    assert -0.3 < deviation("digits-vgg", [6, 7], 8, 200) < 0.0


class Gelu(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 8), nn.Linear(8, 2)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        outputs: torch.Tensor = self.second(nn.functional.gelu(self.first(inputs)))
        return outputs


def test_a_gelu_keeps_its_input_so_the_next_layer_keeps_another_tensor() -> None:
    assert repeated_saved_bytes(Gelu(), ["first", "second"], torch.zeros(10, 4)) == [160, 0]


def test_layers_that_are_frozen_save_nothing_again() -> None:
    workload = Workload(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)))
    inputs = torch.zeros(10, 4)
    assert repeated_in_training(workload, ["2"], inputs) == [0, 0]
    assert repeated_in_training(workload, ["0"], inputs) == [160, 0]
    assert all(parameter.requires_grad for parameter in workload.module.parameters())
