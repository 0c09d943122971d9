"""Batch norm as in evaluation: ``y = scale x + shift`` with a constant scale, so no activation is kept.

The scale comes from frozen statistics and the frozen weight. The bias may be trained; its gradient is that
of the shift.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional

from edgeplan.errors import UsageError
from edgeplan.runtime.sparse.pruned.layer import hold

BatchNorm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d


class FrozenNormalization(Function):
    """Normalisation of x (B x C x ...) with constant statistics."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        bias: Tensor | None,
        weight: Tensor | None,
        mean: Tensor,
        variance: Tensor,
        epsilon: float,
    ) -> Tensor:
        """Normalise, and keep nothing but constants."""
        ctx.epsilon = epsilon
        ctx.save_for_backward(weight, variance)
        return functional.batch_norm(x, mean, variance, weight, bias, training=False, eps=epsilon)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of x and of the bias, where needed."""
        weight, variance = ctx.saved_tensors
        grad_x = grad_bias = None
        if ctx.needs_input_grad[0]:
            scale = torch.rsqrt(variance + ctx.epsilon)
            scale = scale if weight is None else scale * weight
            grad_x = grad * scale.view(-1, *[1] * (grad.dim() - 2))
        if ctx.needs_input_grad[1]:
            grad_bias = grad.sum([0, *range(2, grad.dim())])
        return grad_x, grad_bias, None, None, None, None


class FrozenBatchNorm(nn.Module):
    """Batch norm that normalises by its running statistics, in training too.

    Parameters
    ----------
    norm
        The batch norm that it stands for.
    trains_bias
        Whether the bias is trained, if there is one.

    Raises
    ------
    UsageError
        When the batch norm has no running statistics.

    Examples
    --------
    >>> layer = FrozenBatchNorm(nn.BatchNorm2d(3), trains_bias=True)
    >>> layer(torch.ones(2, 3, 4, 4)).sum().backward()
    >>> layer.bias.grad
    tensor([32., 32., 32.])
    """

    weight: Tensor | None
    bias: Tensor | None
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, norm: BatchNorm, *, trains_bias: bool = False) -> None:
        super().__init__()
        if norm.running_mean is None:
            raise UsageError(f"{norm}: a batch norm without running statistics cannot be frozen")
        self.num_features = norm.num_features
        self.eps = norm.eps
        hold(self, "weight", norm.weight, trained=False)
        hold(self, "bias", norm.bias, trained=trains_bias)
        for name, statistic in norm.named_buffers(recurse=False):
            self.register_buffer(name, statistic)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise a batch, B x C x ... ."""
        normalised: Tensor = FrozenNormalization.apply(  # type: ignore[no-untyped-call]
            x, self.bias, self.weight, self.running_mean, self.running_var, self.eps
        )
        return normalised
