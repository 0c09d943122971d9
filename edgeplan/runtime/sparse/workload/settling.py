"""Bring batch norms to rest before they are frozen.

While a network is trained from nothing its weights stay small, and batch norms divide by small deviations.
With these frozen, gradients are as many times too large, and usual learning rates diverge. Dividing the
deviation out into the convolution's weights changes nothing of what is computed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from edgeplan.runtime.sparse.layers import TrainableLayer
from edgeplan.runtime.sparse.request import BATCH_NORMS


@torch.no_grad()
def average_statistics(module: nn.Module, batches: Iterable[Tensor]) -> None:
    """Set the statistics of all batch norms to their means over batches; the module ends in evaluation."""
    for norm in module.modules():
        if isinstance(norm, BATCH_NORMS):
            norm.reset_running_stats()
            norm.momentum = None  # a plain mean
    module.train()
    for batch in batches:
        module(batch)
    module.eval()


@torch.no_grad()
def divide_deviations_out(module: nn.Module, layers: Sequence[TrainableLayer]) -> None:
    """Make the deviation of every batch norm behind a layer 1, and the layer's outputs as much smaller.

    Examples
    --------
    >>> module = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1)).eval()
    >>> _ = module[1].running_var.fill_(4.0)
    >>> x = torch.ones(1, 1, 1, 1)
    >>> before = module(x)
    >>> divide_deviations_out(module, [TrainableLayer("0", norm="1")])
    >>> module[1].running_var.item(), bool(torch.allclose(module(x), before))
    (0.9999899864196777, True)
    """
    for layer in layers:
        if layer.norm is not None:
            _divide(module.get_submodule(layer.name), module.get_submodule(layer.norm))


def _divide(layer: Any, norm: Any) -> None:
    deviation = (norm.running_var + norm.eps).sqrt()
    layer.weight.div_(deviation.view(-1, *[1] * (layer.weight.dim() - 1)))
    if layer.bias is not None:
        layer.bias.div_(deviation)
    norm.running_mean.div_(deviation)
    norm.running_var.fill_(1.0 - norm.eps)
