"""Gradients that flow through every layer, also where the layers before are frozen.

A layer's frozen figures are those behind a trained layer. With everything frozen nothing would need a gradient,
so the network's float inputs are made to need one, and so are the outputs of a layer that turns integers into
floats: an embedding, whose own input has no gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_map

from edgeplan.runtime.profiling.cutting import LayerSlice
from edgeplan.runtime.profiling.dataflow import tensors_in


def needing_gradient(tensor: Any) -> Any:
    """Return a float tensor as one that needs a gradient, and anything else as it is."""
    if not isinstance(tensor, torch.Tensor) or tensor.requires_grad or not tensor.is_floating_point():
        return tensor
    # In-place operators refuse a leaf that needs a gradient.
    return tensor.detach().requires_grad_().clone()


def start_gradients(module: nn.Module, layers: Sequence[LayerSlice]) -> None:
    """Let the gradient begin at the first layers; the hooks stay, so give it a copy."""
    started: list[bool] = []

    def start(_layer: nn.Module, arguments: Any, keywords: Any, output: Any) -> Any:
        given = [tensor for tensor in tensors_in((arguments, keywords)) if tensor.is_floating_point()]
        carried = any(tensor.requires_grad for tensor in given)
        if not carried and (not given or not started):
            output = tree_map(needing_gradient, output)
        started.extend(tensor.requires_grad for tensor in tensors_in(output) if tensor.requires_grad)
        return output

    for layer in layers:
        module.get_submodule(layer.path).register_forward_hook(start, with_kwargs=True)


def backward(outputs: Any) -> None:
    """Run the backward pass from every output that has one, with gradients of ones."""
    ends = [tensor for tensor in tensors_in(outputs) if tensor.requires_grad]
    if ends:
        torch.autograd.backward(ends, [torch.ones_like(end) for end in ends])
