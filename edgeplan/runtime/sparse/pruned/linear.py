"""Linear layer that keeps only the input features whose weights are trained.

With ``y = x W' + b`` column c of the gradient of W needs feature c of x alone.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional

from edgeplan.runtime.sparse.pruned.layer import PrunedLayer


class PrunedProduct(Function):
    """Product of x (... x C_in) with a frozen weight of which the columns ``kept`` are trained."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        kept: Tensor | None,
        channels: Tensor | None,
    ) -> Tensor:
        """Multiply, and keep the trained features."""
        read = x.index_select(-1, channels) if channels is not None and ctx.needs_input_grad[3] else None
        ctx.save_for_backward(weight if ctx.needs_input_grad[0] else None, read)
        return functional.linear(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of those arguments that need one."""
        weight, read = ctx.saved_tensors
        rows = grad.reshape(-1, grad.shape[-1])
        grad_x = grad @ weight if ctx.needs_input_grad[0] else None
        grad_bias = rows.sum(0) if ctx.needs_input_grad[2] else None
        grad_kept = None if read is None else rows.T @ read.reshape(-1, read.shape[-1])
        return grad_x, None, grad_bias, grad_kept, None


class PrunedLinear(PrunedLayer):
    """Linear layer of which some input features' weights are trained.

    Parameters
    ----------
    linear
        The layer that it stands for.
    channels
        Input features whose weights are trained, int64; None: every weight is frozen.
    trains_bias
        Whether the bias is trained, if there is one.

    Examples
    --------
    >>> import torch
    >>> layer = PrunedLinear(nn.Linear(8, 4), torch.tensor([5, 2]))
    >>> layer(torch.zeros(1, 8)).sum().backward()
    >>> layer.kept.grad.shape
    torch.Size([4, 2])
    """

    def __init__(
        self, linear: nn.Linear, channels: Tensor | None = None, *, trains_bias: bool = False
    ) -> None:
        super().__init__(linear.weight, linear.bias, linear.in_features, channels, trains_bias)
        self.in_features, self.out_features = linear.in_features, linear.out_features

    def forward(self, x: Tensor) -> Tensor:
        """Multiply a batch, ... x C_in."""
        product: Tensor = PrunedProduct.apply(x, self.weight, self.bias, self.kept, self.channels)  # type: ignore[no-untyped-call]
        return product
