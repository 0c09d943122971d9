"""The layers that a sparse update may train, and what a batch brings to each."""

from __future__ import annotations

from dataclasses import dataclass

from edgeplan.runtime.sparse.channels import num_channels


@dataclass(frozen=True)
class TrainableLayer:
    """A convolution or linear layer, with the batch norm that follows it."""

    name: str
    """Qualified name of the ``nn.Conv2d`` or ``nn.Linear``."""
    norm: str | None = None
    """Qualified name of the batch norm whose bias is the layer's; None: the layer's own bias is."""


@dataclass(frozen=True)
class TracedLayer(TrainableLayer):
    """A layer, and what training parts of it keeps of one batch."""

    in_channels: int = 0
    """Input channels; of a linear layer, its features."""
    channel_bytes: int = 0
    """Bytes of one input channel over the whole batch, padding by earlier modules included."""
    output_bytes: int = 0
    """Bytes of its output over the whole batch."""
    mask_bytes: int = 0
    """Bytes of the masks of the ReLUs between this layer and the next, a bit an element."""
    channel_parameters: int = 0
    """Weights that read one input channel."""
    bias_parameters: int = 0
    """Elements of the bias; 0 where there is none."""

    def weight_bytes(self, ratio: float) -> int:
        """Bytes kept to train this share of the weights.

        Examples
        --------
        >>> TracedLayer("pw1", in_channels=8, channel_bytes=400).weight_bytes(0.25)
        800
        """
        return num_channels(ratio, self.in_channels) * self.channel_bytes

    def parameters(self, ratio: float) -> int:
        """Weights in this share."""
        return num_channels(ratio, self.in_channels) * self.channel_parameters
