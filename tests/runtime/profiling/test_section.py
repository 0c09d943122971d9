"""Saved bytes, outputs and skip connections against arithmetic by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from edgeplan.errors import UsageError
from edgeplan.models.model import Model
from edgeplan.runtime.networks import small_vgg, vgg11
from edgeplan.runtime.profiling import profile


def figures(module: nn.Module, name: str, *shapes: str, dtype: str = "float32", **options: Any) -> list[Any]:
    section = profile(module, input_shapes=shapes, input_dtypes=[dtype], **options)
    return [layer[name] for layer in section["layers"]]


def chain() -> nn.Sequential:
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4), nn.ReLU(), nn.Linear(4, 2))


class Concatenating(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.both = nn.Linear(6 + 4, 2)

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        return self.both(torch.cat([first, second], dim=-1))


class Skipping(nn.Module):
    """The first layer's output goes to the second and, past it, to the third."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = nn.Linear(8, 6), nn.Linear(6, 4), Concatenating()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = self.first(x)
        return self.third(first, self.second(first))


def test_a_trained_linear_saves_its_input_and_relu_its_output():
    # 4 bytes x (8 in + 16 out), (16 + 4), 4
    assert figures(chain(), "saved_bytes", "8") == [96, 80, 16]


def test_a_frozen_linear_saves_nothing_and_relu_still_its_output():
    assert figures(chain(), "saved_frozen_bytes", "8") == [64, 16, 0]


def test_a_layer_norm_saves_two_statistics_for_each_row():
    # trained and frozen: input 5 x 8 and, for each of 5 rows, mean and reciprocal deviation
    norm = nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8))
    assert figures(norm, "saved_frozen_bytes", "5,8") == [0, 4 * (40 + 5 + 5)]


def test_the_statistics_of_a_batch_are_not_those_of_a_sample():
    assert figures(nn.Sequential(nn.BatchNorm2d(3)), "saved_bytes", "3,4,4") == [4 * 48]


def test_a_storage_saved_twice_in_a_layer_counts_once():
    class Squares(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(8, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.linear(x)
            return y * y.view(1, -1, 8) + y.exp().detach() * y

    # the input, y once (three operators save it), its exponential
    assert figures(Squares(), "saved_bytes", "8") == [3 * 32]


def test_half_precision_halves_the_bytes():
    section = profile(chain(), input_shapes=["8"], dtype="bfloat16")
    assert [layer["saved_bytes"] for layer in section["layers"]] == [48, 40, 8]
    assert [layer["output_bytes"] for layer in section["layers"]] == [32, 8, 4]


def test_the_output_is_what_the_next_layer_gets_after_pooling():
    layers = profile("vgg11")["layers"]
    # 64 x 16 x 16, 128 x 8 x 8, 256 x 8 x 8 before no pooling, then 256 x 4 x 4 floats
    assert [layer["output_bytes"] for layer in layers[:4]] == [65536, 32768, 65536, 16384]
    assert layers[-1]["output_bytes"] == 40


def test_vgg11_saves_what_a_whole_run_saves_but_for_tensors_two_layers_share():
    network, storages = vgg11(), {}
    parameters = {parameter.data_ptr() for parameter in network.parameters()}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.data_ptr() not in parameters:
            storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        scores = network(torch.randn(1, 3, 32, 32))
    total = sum(layer["saved_bytes"] for layer in profile("vgg11")["layers"])
    # ReLU outputs that the next convolution reads: 256 x 8 x 8, 512 x 4 x 4, 512 x 2 x 2 floats
    shared = 4 * (256 * 64 + 512 * 16 + 512 * 4)
    assert total == sum(storages.values()) + shared
    assert scores.shape == (1, 10)
    # shared/runtime.md: 1.5 MB for a sample of VGG-11, with batch normalisation there
    assert 0.6e6 < total < 1.5e6


def test_a_skip_connection_is_an_input_of_the_layer_that_reads_it():
    assert figures(Skipping(), "inputs", "8") == [["input"], ["first"], ["first", "second"]]
    assert figures(Skipping(), "output_bytes", "8") == [24, 16, 8]


def test_a_residual_addition_belongs_to_the_layer_before():
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.third = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.first(x)
            return self.third(x + self.second(x))

    assert figures(Residual(), "inputs", "8") == [["input"], ["first"], ["second"]]


def test_an_in_place_relu_gives_the_same_figures():
    in_place = nn.Sequential(
        nn.Linear(8, 16), nn.ReLU(inplace=True), nn.Linear(16, 4), nn.ReLU(inplace=True), nn.Linear(4, 2)
    )
    assert profile(in_place, input_shapes=["8"]) == profile(chain(), input_shapes=["8"])


def test_layers_stand_in_the_order_in_which_they_run_and_unused_ones_last():
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.unused, self.late, self.early = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.late(self.early(x))

    assert figures(Net(), "name", "8") == ["early", "late", "unused"]
    assert figures(Net(), "forward_flops", "8")[2] == 0


def test_a_network_may_have_several_inputs_and_a_dictionary_of_outputs():
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.image, self.number = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x: torch.Tensor, y: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"scores": self.number(self.image(x) + y)}

    section = profile(Net(), input_shapes=["4", "4"], input_dtypes=["float32", "int64"])
    assert [layer["output_bytes"] for layer in section["layers"]] == [16, 16]


def test_a_section_is_one_that_the_reader_takes():
    model = Model.model_validate(profile("small-vgg"))
    assert sum(layer.parameters for layer in model.layers) == 95242


def test_the_module_is_left_as_it_was():
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).eval()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    profile(module, input_shapes=["3,8,8"])
    assert not module.training
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in module.parameters())
    assert not module[0]._forward_hooks
    assert not module[0]._forward_pre_hooks


def test_the_global_random_state_and_threads_are_left_alone():
    network = chain()
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    profile(network, input_shapes=["8"])
    assert torch.equal(state, torch.get_rng_state())
    assert threads == torch.get_num_threads()


@pytest.mark.parametrize("batch_size", [1, 4])
def test_the_figures_do_not_depend_on_the_batch_size(batch_size: int):
    assert profile("small-vgg", batch_size=batch_size) == profile("small-vgg")


def test_fake_tensors_show_what_real_ones_do():
    assert profile("small-vgg")["layers"] == profile(small_vgg(), input_shapes=["1,8,8"])["layers"]


def test_a_checkpointed_block_saves_only_its_input():
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(8, 8), Deep()

        def forward(self, x: torch.Tensor) -> Any:
            return torch.utils.checkpoint.checkpoint(self.second, self.first(x), use_reentrant=False)

    class Deep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up, self.down = nn.Linear(8, 64), nn.Linear(64, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.down(torch.relu(self.up(x)))

    saved = sum(figures(Net(), "saved_bytes", "8"))
    assert saved == 4 * (8 + 8)


def test_progress_is_told_after_each_pass():
    told: list[tuple[int, int]] = []
    profile(chain(), input_shapes=["8"], on_progress=lambda done, total: told.append((done, total)))
    assert told == [(done, 5) for done in range(1, 6)]


def test_a_batch_size_below_one_is_refused():
    with pytest.raises(UsageError, match="batch size 0"):
        profile("vgg11", batch_size=0)
