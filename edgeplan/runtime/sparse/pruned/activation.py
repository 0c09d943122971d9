"""ReLU and ReLU6 that keep one bit an element: whether the gradient passes.

The elements of a batch are cut into eight rows; bit j of a byte belongs to row j. So whole rows are packed
at a time.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional

BITS = 8


def num_mask_bytes(num_elements: int) -> int:
    """Bytes of the mask of so many elements.

    Examples
    --------
    >>> num_mask_bytes(17)
    3
    """
    return math.ceil(num_elements / BITS)


class PackedClamp(Function):
    """Clamp between 0 and ``ceiling``."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, ceiling: float) -> Tensor:
        """Clamp, and keep the mask if a gradient will come."""
        # Before the outputs exist, so that what packing takes for a moment adds nothing to the peak.
        ctx.save_for_backward(_packed(x, ceiling) if ctx.needs_input_grad[0] else None)
        return x.clamp(0.0, ceiling)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None]:
        """Let the gradient pass where the mask says so."""
        (mask,) = ctx.saved_tensors
        return None if mask is None else grad * _unpacked(mask, grad.shape), None


def _packed(x: Tensor, ceiling: float) -> Tensor:
    # PyTorch's own slope of 0 or 1: several times faster than comparing, and the same at the corners.
    slope = torch.ops.aten.hardtanh_backward(x.new_ones(()).expand_as(x), x, 0.0, ceiling).flatten()
    if len(slope) % BITS:
        slope = functional.pad(slope, (0, -len(slope) % BITS))
    # A byte is the sum of its bits; at most 255, it is exact in every floating type.
    worth = torch.tensor([1 << bit for bit in range(BITS)], dtype=x.dtype, device=x.device)
    bytes_as_floats: Tensor = worth @ slope.view(BITS, -1)
    return bytes_as_floats.to(torch.uint8)


def _unpacked(mask: Tensor, shape: torch.Size) -> Tensor:
    """Mask as zeros and ones in bytes, which multiply faster than booleans."""
    bits = torch.arange(BITS, dtype=torch.uint8, device=mask.device)
    passes = (mask >> bits.unsqueeze(1)) & 1
    return passes.flatten()[: shape.numel()].view(shape)


class PrunedReLU(nn.Module):
    """ReLU that keeps a bit an element, and nothing where no gradient is needed.

    Examples
    --------
    >>> x = torch.tensor([-1.0, 2.0, 7.0], requires_grad=True)
    >>> PrunedReLU6()(x).sum().backward()
    >>> x.grad
    tensor([0., 1., 0.])
    """

    ceiling = math.inf

    def forward(self, x: Tensor) -> Tensor:
        """Clamp a tensor of any shape."""
        clamped: Tensor = PackedClamp.apply(x, self.ceiling)  # type: ignore[no-untyped-call]
        return clamped


class PrunedReLU6(PrunedReLU):
    """ReLU6 that keeps a bit an element, and nothing where no gradient is needed."""

    ceiling = 6.0
