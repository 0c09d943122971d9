"""Convolutions that keep only the input channels whose weights are trained.

With ``y = conv(x, w)`` the gradient of x needs the weights alone, that of the bias nothing, and that of the
weights which read channel c needs channel c of x alone. A depth-wise convolution reads a channel only for
the outputs of that channel, so there the gradient of y is cut down too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.nn.grad import conv2d_weight

from edgeplan.errors import UsageError
from edgeplan.runtime.sparse.pruned.layer import PrunedLayer

Pair = tuple[int, int]


@dataclass(frozen=True)
class Geometry:
    """How the kernel moves over the image; each pair is of rows and columns."""

    stride: Pair
    padding: Pair
    dilation: Pair
    groups: int

    @classmethod
    def of(cls, convolution: nn.Conv2d) -> Geometry:
        """Read it off a module.

        Raises
        ------
        UsageError
            When the padding is not zeros, or named instead of counted.
        """
        if isinstance(convolution.padding, str) or convolution.padding_mode != "zeros":
            raise UsageError(
                f"{convolution}: only padding by a number of zeros can be pruned; pad in a module before it"
            )
        stride, padding, dilation = (
            (pair[0], pair[1]) for pair in (convolution.stride, convolution.padding, convolution.dilation)
        )
        return cls(stride, padding, dilation, convolution.groups)

    def outputs(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Convolve."""
        return functional.conv2d(x, weight, bias, self.stride, self.padding, self.dilation, self.groups)

    def input_gradient(self, size: torch.Size, weight: Tensor, grad: Tensor) -> Tensor:
        """Gradient of an input of this size, from that of the outputs."""
        reached = [
            (grad.shape[2 + k] - 1) * self.stride[k]
            - 2 * self.padding[k]
            + self.dilation[k] * (weight.shape[2 + k] - 1)
            + 1
            for k in (0, 1)
        ]
        unread = [size[2 + k] - reached[k] for k in (0, 1)]
        # Unlike torch.nn.grad.conv2d_input, this allocates no stand-in for the input.
        return functional.conv_transpose2d(
            grad, weight, None, self.stride, self.padding, unread, self.groups, self.dilation
        )

    def weight_gradient(self, x: Tensor, shape: torch.Size, grad: Tensor, groups: int) -> Tensor:
        """Gradient of weights of this shape, from the channels of x that they read."""
        sizes = [*shape]
        gradient: Tensor = conv2d_weight(  # type: ignore[no-untyped-call]
            x, sizes, grad, self.stride, self.padding, self.dilation, groups
        )
        return gradient


class PrunedConvolution(Function):
    """Convolution of x (B x C_in x H x W) with a frozen weight of which a part, ``kept``, is trained.

    ``channels`` are the input channels that ``kept`` reads; ``filters`` the outputs that it makes, None for
    all of them.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        kept: Tensor | None,
        channels: Tensor | None,
        filters: Tensor | None,
        geometry: Geometry,
    ) -> Tensor:
        """Convolve, and keep the trained channels."""
        ctx.geometry, ctx.size = geometry, x.shape
        ctx.kept_shape = None if kept is None else kept.shape
        # A copy also when all channels are trained: no view may hold a larger storage.
        read = x.index_select(1, channels) if channels is not None and ctx.needs_input_grad[3] else None
        ctx.save_for_backward(weight if ctx.needs_input_grad[0] else None, read, filters)
        return geometry.outputs(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of those arguments that need one."""
        weight, read, filters = ctx.saved_tensors
        grad_x = grad_bias = grad_kept = None
        if ctx.needs_input_grad[0]:
            grad_x = ctx.geometry.input_gradient(ctx.size, weight, grad)
        if ctx.needs_input_grad[2]:
            grad_bias = grad.sum((0, 2, 3))
        if read is not None:
            written = grad if filters is None else grad.index_select(1, filters)
            groups = 1 if filters is None else read.shape[1]
            grad_kept = ctx.geometry.weight_gradient(read, ctx.kept_shape, written, groups)
        return grad_x, None, grad_bias, grad_kept, None, None, None


class PrunedConv2d(PrunedLayer):
    """Convolution without groups of which some input channels' weights are trained.

    Frozen, it may have any groups.

    Parameters
    ----------
    convolution
        The convolution that it stands for.
    channels
        Input channels whose weights are trained, int64; None: every weight is frozen.
    trains_bias
        Whether the bias is trained, if there is one.

    Examples
    --------
    >>> layer = PrunedConv2d(nn.Conv2d(8, 4, 3), torch.tensor([5, 2]))
    >>> layer(torch.zeros(1, 8, 6, 6)).sum().backward()
    >>> layer.kept.grad.shape
    torch.Size([4, 2, 3, 3])
    """

    def __init__(
        self, convolution: nn.Conv2d, channels: Tensor | None = None, *, trains_bias: bool = False
    ) -> None:
        super().__init__(convolution.weight, convolution.bias, convolution.in_channels, channels, trains_bias)
        self.geometry = Geometry.of(convolution)
        # Networks that pad in functions of their own read these.
        self.out_channels = convolution.out_channels
        self.kernel_size = convolution.kernel_size
        self.stride, self.padding = self.geometry.stride, self.geometry.padding
        self.dilation, self.groups = self.geometry.dilation, self.geometry.groups

    def forward(self, x: Tensor) -> Tensor:
        """Convolve a batch, B x C_in x H x W."""
        return self._apply_kept(x, None)

    def _apply_kept(self, x: Tensor, filters: Tensor | None) -> Tensor:
        outputs: Tensor = PrunedConvolution.apply(  # type: ignore[no-untyped-call]
            x, self.weight, self.bias, self.kept, self.channels, filters, self.geometry
        )
        return outputs


class PrunedDepthwiseConv2d(PrunedConv2d):
    """Depth-wise convolution of which some channels' filters are trained.

    A channel may have several filters; its outputs stand beside each other.

    Examples
    --------
    >>> layer = PrunedDepthwiseConv2d(nn.Conv2d(8, 8, 3, groups=8), torch.tensor([5, 2]))
    >>> layer(torch.zeros(1, 8, 6, 6)).sum().backward()
    >>> layer.kept.grad.shape
    torch.Size([2, 1, 3, 3])
    """

    axis = 0

    def positions_of(self, channels: Tensor) -> Tensor:
        """Filters, and so outputs, of these channels."""
        filters_each = self.weight.shape[0] // self.in_channels
        offsets = torch.arange(filters_each, device=channels.device)
        return (channels.unsqueeze(1) * filters_each + offsets).flatten()

    def forward(self, x: Tensor) -> Tensor:
        """Convolve a batch, B x C_in x H x W."""
        return self._apply_kept(x, self.positions)
