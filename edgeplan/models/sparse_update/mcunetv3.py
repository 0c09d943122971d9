"""The memory model of MCUNetV3 for MobileNetV2, width 0.35 at 128 x 128: what training a part of it takes.

Activations and weights have 8 bits, biases 32, and a batch one sample. Training the bias of a convolution
keeps one bit of every output element, a mask, and the bias; training n input channels of its weights keeps
them and the weights' gradient. The classifier behind the last convolution keeps its features. The network
is without the last, 1,280 wide convolution; layers are its 51 convolutions from input to output.

Source: the schemes published with MCUNetV3, J. Lin et al., NeurIPS 2022, arXiv:2206.15472; the architecture
is MobileNetV2, M. Sandler et al., CVPR 2018, arXiv:1801.04381, section 3.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

CLASSIFIER_BYTES = 112
"""Features that the classifier keeps."""
_WIDTH, _INPUT_SIZE, _STEM = 0.35, 128, 16
_STAGES = (  # expansion, channels, blocks, stride
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


@dataclass(frozen=True)
class Convolution:
    """A square convolution.

    Parameters
    ----------
    kind
        Full, depth-wise, or one by one: into a block, out of it.
    in_channels, out_channels
        Channels.
    kernel
        Width of the kernel.
    in_size, out_size
        Width of the activations before and behind.
    """

    kind: Literal["conv", "dw", "pw1", "pw2"]
    in_channels: int
    out_channels: int
    kernel: int
    in_size: int
    out_size: int

    @property
    def bias_bytes(self) -> int:
        """Memory of training the bias."""
        return (self.out_channels * self.out_size**2 + 32 * self.out_channels) // 8

    @property
    def flops(self) -> int:
        """FLOPs of the forward pass, multiply-adds counted twice."""
        return 2 * self.out_size**2 * self.parameters(self.in_channels)

    def parameters(self, channels: int) -> int:
        """Weights of so many input channels."""
        return channels * self.kernel**2 * (1 if self.kind == "dw" else self.out_channels)

    def kept_channels(self, ratio: float) -> int:
        """Input channels of a ratio."""
        return round(ratio * self.in_channels)

    def weight_bytes(self, ratio: float) -> int:
        """Memory of training a ratio of the weights.

        Examples
        --------
        >>> mobilenetv2()[1].weight_bytes(1.0) == 64 * 64 * 16 + 16 * 9
        True
        """
        channels = self.kept_channels(ratio)
        return channels * self.in_size**2 + self.parameters(channels)


def mobilenetv2() -> list[Convolution]:
    """Return the convolutions from input to output.

    Examples
    --------
    >>> len(mobilenetv2())
    51
    """
    return list(_convolutions())


def _convolutions() -> Iterator[Convolution]:
    size, channels = _INPUT_SIZE // 2, _STEM
    yield Convolution("conv", 3, channels, 3, _INPUT_SIZE, size)
    for expansion, wide, blocks, stride in _STAGES:
        out = _rounded(wide * _WIDTH)
        for block in range(blocks):
            hidden, smaller = channels * expansion, size // (stride if block == 0 else 1)
            if expansion > 1:
                yield Convolution("pw1", channels, hidden, 1, size, size)
            yield Convolution("dw", hidden, hidden, 3, size, smaller)
            yield Convolution("pw2", hidden, out, 1, smaller, smaller)
            channels, size = out, smaller


def _rounded(channels: float) -> int:
    """The nearest multiple of 8, at least 90 % of them."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * channels else nearest + 8
