"""How much a step on each channel and each bias would bring, to first order.

A step of SGD changes weights by ``-eta g``, and so the loss by about ``-eta |g|^2``: the negative inner
product of gradient and change. Parts of a layer bring their parts of the sum of squares. The learning rate
eta is one factor for all and is left out.

Source: the importance of ElasticTrainer, K. Huang, B. Yang, W. Gao, MobiSys 2023, arXiv:2312.14227, with
the change that plain SGD makes.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from edgeplan.runtime.learning.training import Batch
from edgeplan.runtime.sparse.channels import num_channels
from edgeplan.runtime.sparse.layers import TrainableLayer
from edgeplan.runtime.sparse.workload.scoring import loss_of


@dataclass(frozen=True)
class Importance:
    """Squared gradients, mean over batches.

    Examples
    --------
    >>> importance = Importance({"fc": torch.tensor([1.0, 4.0, 2.0, 4.0])}, {"fc": 0.5})
    >>> importance.orders()["fc"]
    tensor([1, 3, 2, 0])
    >>> importance.of_weights("fc", 0.5), importance.of_weights("fc", 1.0)
    (8.0, 11.0)
    """

    channels: Mapping[str, Tensor]
    """Of the weights that read each input channel of a layer, float64, C_in."""
    biases: Mapping[str, float]
    """Of the bias of each layer; 0 where there is none."""

    def orders(self) -> dict[str, Tensor]:
        """Input channels of each layer, most important first, of equal ones the earlier first: int64."""
        return {
            name: torch.argsort(squares, descending=True, stable=True)
            for name, squares in self.channels.items()
        }

    def of_weights(self, name: str, ratio: float) -> float:
        """Importance of the weights of a layer's most important channels."""
        squares = self.channels[name]
        ordered = squares.sort(descending=True, stable=True).values
        return float(ordered[: num_channels(ratio, len(squares))].sum())


def importance_of(
    module: nn.Module, layers: Sequence[TrainableLayer], batches: Iterable[Batch]
) -> Importance:
    """Measure importance on some batches.

    Parameters
    ----------
    module
        The network; it is not changed, and runs in evaluation mode.
    layers
        Its trainable layers.
    batches
        Images and labels, at least one batch.
    """
    probed = copy.deepcopy(module).eval().requires_grad_(False)
    weights = {layer.name: probed.get_parameter(f"{layer.name}.weight") for layer in layers}
    biases = {layer.name: _bias(probed.get_submodule(layer.norm or layer.name)) for layer in layers}
    trained = [leaf for leaf in (*weights.values(), *biases.values()) if leaf is not None]
    for leaf in trained:
        leaf.requires_grad_(True)
    squares = {id(leaf): torch.zeros_like(leaf, dtype=torch.float64) for leaf in trained}
    count = 0
    for count, batch in enumerate(batches, start=1):  # noqa: B007
        gradients = torch.autograd.grad(loss_of(probed, batch), trained)
        for leaf, gradient in zip(trained, gradients, strict=True):
            squares[id(leaf)] += gradient.double() ** 2
    return Importance(
        {
            name: _by_channel(probed.get_submodule(name), squares[id(weight)]) / count
            for name, weight in weights.items()
        },
        {
            name: 0.0 if bias is None else float(squares[id(bias)].sum()) / count
            for name, bias in biases.items()
        },
    )


def _bias(module: Any) -> nn.Parameter | None:
    bias: nn.Parameter | None = module.bias
    return bias


def _by_channel(module: Any, squares: Tensor) -> Tensor:
    """Sum over the weights that read each input channel."""
    if getattr(module, "groups", 1) > 1:
        return squares.reshape(module.in_channels, -1).sum(1)
    return squares.transpose(0, 1).flatten(1).sum(1)
