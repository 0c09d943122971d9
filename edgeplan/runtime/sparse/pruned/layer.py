"""A layer whose weights are frozen but for those that read some input channels.

The whole weight is a buffer, with which the layer computes. The trained weights are a leaf of their own,
``kept``, so that gradients and optimizer state exist for them alone; after a step they are written back.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PrunedLayer(nn.Module):
    """What pruned layers have in common.

    Parameters
    ----------
    weight
        All weights; the layer goes on using their memory.
    bias
        Bias, or None.
    in_channels
        Input channels of the layer; of a linear layer, its features.
    channels
        Input channels whose weights are trained, int64; None: every weight is frozen.
    trains_bias
        Whether the bias is trained, if there is one.
    """

    axis = 1
    """Axis of the weight along which its parts for different input channels lie."""
    weight: Tensor
    bias: Tensor | None
    channels: Tensor | None
    positions: Tensor | None

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None,
        in_channels: int,
        channels: Tensor | None,
        trains_bias: bool,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.register_buffer("weight", weight.detach())
        hold(self, "bias", bias, trained=trains_bias)
        channels = None if channels is None else channels.to(weight.device)
        positions = None if channels is None else self.positions_of(channels)
        self.register_buffer("channels", channels, persistent=False)
        self.register_buffer("positions", positions, persistent=False)
        self.kept = None if channels is None else nn.Parameter(self.read(channels))

    def positions_of(self, channels: Tensor) -> Tensor:
        """Where along ``axis`` the weights lie that read these input channels."""
        return channels

    def read(self, channels: Tensor) -> Tensor:
        """Copy the weights that read these input channels, in the order given."""
        return self.weight.index_select(self.axis, self.positions_of(channels))

    @torch.no_grad()
    def write(self, channels: Tensor, values: Tensor) -> None:
        """Set the weights that read these input channels, trained or not.

        Parameters
        ----------
        channels
            Input channels, each once.
        values
            Weights in any shape, ordered as `read` gives them.
        """
        positions = self.positions_of(channels)
        shape = [*self.weight.shape]
        shape[self.axis] = len(positions)
        self.weight.index_copy_(self.axis, positions, values.reshape(shape))
        if self.kept is not None and self.channels is not None:
            self.kept.copy_(self.read(self.channels))

    @torch.no_grad()
    def write_back(self) -> None:
        """Bring the whole weight up to date with the trained part."""
        if self.kept is not None and self.positions is not None:
            self.weight.index_copy_(self.axis, self.positions, self.kept)


def hold(module: nn.Module, name: str, tensor: Tensor | None, *, trained: bool) -> None:
    """Register `tensor` as a parameter if it is trained, else as a buffer of the same name."""
    if tensor is not None and trained:
        module.register_parameter(name, nn.Parameter(tensor.detach()))
    else:
        module.register_buffer(name, None if tensor is None else tensor.detach())
