"""Gradients that flow through every layer, also where the layers before are frozen.

A layer's frozen figures are those behind a trained layer. With everything frozen nothing would need a
gradient, so the network's float inputs are made to need one, and so are the outputs of a layer that turns
integers into floats: an embedding, whose own input has no gradient.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
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


@contextmanager
def gradients_started(module: nn.Module, layers: Sequence[LayerSlice]) -> Iterator[None]:
    """Let the gradient begin at the first layers of `module` inside the context."""
    begin = _GradientStart()
    with ExitStack() as hooks:
        for layer in layers:
            watched = module.get_submodule(layer.path)
            hooks.enter_context(watched.register_forward_hook(begin, with_kwargs=True))
        yield


class _GradientStart:
    """Forward hook that lets the outputs of a layer need a gradient where none comes in."""

    def __init__(self) -> None:
        self._has_begun = False

    def __call__(self, _layer: nn.Module, arguments: Any, keywords: Any, output: Any) -> Any:
        read = [tensor for tensor in tensors_in((arguments, keywords)) if tensor.is_floating_point()]
        # A float input without a gradient later on was cut off by the network itself, and stays so.
        is_start = not read or not self._has_begun
        if is_start and not any(tensor.requires_grad for tensor in read):
            output = tree_map(needing_gradient, output)
        self._has_begun |= any(tensor.requires_grad for tensor in tensors_in(output))
        return output


def backward(outputs: Any) -> None:
    """Run the backward pass from every output that has one, with gradients of ones."""
    ends = [tensor for tensor in tensors_in(outputs) if tensor.requires_grad]
    if ends:
        torch.autograd.backward(ends, [torch.ones_like(end) for end in ends])
