"""FLOPs of one operator call, multiply-adds counted twice.

The formulas are those of ``torch.utils.flop_counter``, with exceptions. Its formula for the backward
pass of a convolution forgets the groups (11 times too many for forward and backward at 32 groups), so that
has its own here; and it does not know the kernels for CPUs of attention and LSTM.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import torch
from torch._ops import OpOverload
from torch.utils import flop_counter

aten = torch.ops.aten

Arguments = Sequence[Any]


def flops(operator: OpOverload, arguments: Arguments, keywords: Mapping[str, Any], result: Any) -> int:
    """Count the FLOPs of one call; operators without products of matrices count 0.

    Parameters
    ----------
    operator
        As a ``TorchDispatchMode`` receives it.
    arguments, keywords
        Of the call.
    result
        What the call returned.
    """
    packet = operator._overloadpacket
    if packet in OWN_FORMULAS:
        return OWN_FORMULAS[packet](arguments)
    if packet in flop_counter.flop_registry:
        formula: Callable[..., int] = flop_counter.flop_registry[packet]
        return formula(*arguments, **keywords, out_val=result)
    return 0


def _convolution_backward(arguments: Arguments) -> int:
    """Each gradient asked for takes as many products as the forward pass, grouped or not."""
    output_gradient, inputs, weight, *_, output_mask = arguments
    transposed = arguments[7]
    batch = inputs.shape[0]
    positions = prod((inputs if transposed else output_gradient).shape[2:])
    # The weight's second dimension is per group already, so its size is the products of one output position.
    products = batch * positions * weight.numel()
    return int(2 * products * (bool(output_mask[0]) + bool(output_mask[1])))


def _attention(arguments: Arguments) -> int:
    query, key, value = (tensor.shape for tensor in arguments[:3])
    count: Callable[..., int] = flop_counter.sdpa_flop_count
    return count(query, key, value)


def _attention_backward(arguments: Arguments) -> int:
    output_gradient, query, key, value = (tensor.shape for tensor in arguments[:4])
    count: Callable[..., int] = flop_counter.sdpa_backward_flop_count
    return count(output_gradient, query, key, value)


def _recurrent(arguments: Arguments) -> int:
    """One product with the input's and one with the state's weight at every step of every sample."""
    steps, batch = arguments[0].shape[:2]
    return int(2 * steps * batch * (arguments[1].numel() + arguments[2].numel()))


def _recurrent_backward(arguments: Arguments) -> int:
    """The kernel always computes both gradients, also when the weights are frozen."""
    return 2 * _recurrent(arguments)


OWN_FORMULAS: dict[Any, Callable[[Arguments], int]] = {
    aten.convolution_backward: _convolution_backward,
    aten.mkldnn_rnn_layer: _recurrent,
    aten.mkldnn_rnn_layer_backward: _recurrent_backward,
    aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
}
