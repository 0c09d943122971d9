"""Where modules are cut, and whose a parameter is."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from edgeplan.errors import UsageError
from edgeplan.runtime.networks import vgg11
from edgeplan.runtime.profiling import cut


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.inner(x)


class Transformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 4))
        self.head = nn.Linear(4, 9, bias=False)
        self.embed = nn.Embedding(9, 4)
        self.norm = nn.LayerNorm(4)
        self.blocks = nn.ModuleList(Block() for _ in range(2))
        self.head.weight = self.embed.weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.embed(ids) + self.token
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def names(module: nn.Module) -> list[str]:
    return [layer.name for layer in cut(module)]


def test_vgg11_falls_into_its_convolutions_and_the_classifier():
    convolutions = [f"features.{index}" for index in (0, 3, 6, 8, 11, 13, 16, 18)]
    assert names(vgg11()) == [*convolutions, "classifier"]


def test_the_items_of_the_outermost_list_are_layers_and_stay_whole():
    assert names(Transformer()) == ["head", "embed", "norm", "blocks.0", "blocks.1"]


def test_a_tied_tensor_belongs_to_the_first_layer_in_the_order_given():
    order = ["embed", "blocks.0", "blocks.1", "norm", "head"]
    sizes = {layer.name: layer.num_parameters for layer in cut(Transformer(), order)}
    # embed 9 x 4; a block 2 x (4 x 4 + 4); norm 2 x 4; the token of 4 goes with the first layer registered
    assert sizes == {"embed": 36, "blocks.0": 40, "blocks.1": 40, "norm": 8, "head": 4}


def test_every_parameter_has_exactly_one_layer():
    module = Transformer()
    found = [parameter for layer in cut(module) for parameter in layer.parameters]
    assert sorted(map(id, found)) == sorted(map(id, module.parameters()))


def test_another_order_of_names_than_the_module_has_is_refused():
    with pytest.raises(UsageError, match="only on one side: \\['other'\\]"):
        cut(nn.Sequential(nn.Linear(2, 2)), ["0", "other"])


def test_a_module_without_lists_is_opened_once():
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.activation, self.second = nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2)

    assert names(Net()) == ["first", "second"]


def test_a_wrapper_does_not_hide_what_is_inside():
    class Wrapper(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = Transformer()

    assert names(Wrapper())[0] == "model.head"


def test_a_single_module_is_one_layer_named_after_its_class():
    assert names(nn.Linear(2, 2)) == ["Linear"]
    assert names(nn.MultiheadAttention(4, 2)) == ["MultiheadAttention"]


def test_a_shared_module_is_one_layer():
    shared = nn.Linear(2, 2)
    assert names(nn.Sequential(shared, nn.ReLU(), shared, nn.Linear(2, 2))) == ["0", "3"]


def test_no_layer_is_named_like_the_model_input():
    assert names(nn.ModuleDict({"input": nn.Linear(2, 2), "input_": nn.Linear(2, 2)})) == [
        "input__",
        "input_",
    ]


def test_a_weight_normalised_layer_stays_whole():
    layer = nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))
    [only] = cut(layer)
    assert only.num_parameters == 2 + 6 + 2


def test_bare_parameters_go_with_the_first_layer_beside_them():
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scales = nn.ParameterList([torch.zeros(5)])
            self.first, self.second = nn.Linear(2, 2), nn.Linear(2, 2)

    assert [(layer.name, layer.num_parameters) for layer in cut(Net())] == [("first", 11), ("second", 6)]


def test_a_module_without_parameters_is_refused():
    with pytest.raises(UsageError, match="ReLU has no parameters"):
        cut(nn.ReLU())


def test_a_lazy_module_is_refused():
    with pytest.raises(UsageError, match="lazy"):
        cut(nn.Sequential(nn.LazyLinear(3)))
