"""A network of which parts are trained, and its slices as the devices exchange them.

A slice of weights lies between two ratios in the order of importance. Every device has the same order, so
a slice is the same elements everywhere, whatever a device itself trains. After an optimizer step the whole
weights are stale until `PrunedNetwork.write_back`; slices are read and written behind that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edgeplan.runtime.sparse.channels import num_channels
from edgeplan.runtime.sparse.pruned import FrozenBatchNorm, PrunedLayer


@dataclass(frozen=True)
class SlicedLayer:
    """A layer by slices of its input channels, most important first."""

    weights: PrunedLayer
    """The layer itself."""
    bias_holder: PrunedLayer | FrozenBatchNorm
    """Where the layer's bias is: the batch norm behind it, or itself."""
    order: Tensor
    """Input channels by importance, int64, C_in."""

    @property
    def kept(self) -> nn.Parameter | None:
        """The trained weights, most important channel first; None: all are frozen."""
        return self.weights.kept

    @property
    def trained_bias(self) -> nn.Parameter | None:
        """The bias, if it is trained."""
        bias = self.bias_holder.bias
        return bias if isinstance(bias, nn.Parameter) else None

    def read_weights(self, from_ratio: float, to_ratio: float) -> Tensor:
        """Copy the weights between two ratios, trained or not, into a vector.

        Parameters
        ----------
        from_ratio, to_ratio
            Shares of the channels, 0 <= from <= to <= 1.
        """
        return self.weights.read(self._between(from_ratio, to_ratio)).flatten()

    def write_weights(self, from_ratio: float, to_ratio: float, values: Tensor) -> None:
        """Set the weights between two ratios, trained or not.

        Parameters
        ----------
        from_ratio, to_ratio
            Shares of the channels, 0 <= from <= to <= 1.
        values
            Vector as `read_weights` gives it, on any device.
        """
        self.weights.write(self._between(from_ratio, to_ratio), values)

    def read_bias(self) -> Tensor:
        """Copy the bias, trained or not; a vector without elements where there is none."""
        bias = self.bias_holder.bias
        return self.weights.weight.new_empty(0) if bias is None else bias.detach().clone()

    @torch.no_grad()
    def write_bias(self, values: Tensor) -> None:
        """Set the bias, trained or not."""
        if self.bias_holder.bias is not None:
            self.bias_holder.bias.copy_(values)

    def _between(self, from_ratio: float, to_ratio: float) -> Tensor:
        assert 0 <= from_ratio <= to_ratio <= 1
        start, stop = (num_channels(ratio, len(self.order)) for ratio in (from_ratio, to_ratio))
        return self.order[start:stop].to(self.weights.weight.device)


@dataclass(frozen=True)
class PrunedNetwork:
    """A network that `prune` made."""

    module: nn.Module
    """Computes as the original does with its batch norms in evaluation mode."""
    layers: Mapping[str, SlicedLayer]
    """All trainable layers by name, from input to output, those that are not reached included."""
    names: tuple[str, ...]
    """Names in the original's ``state_dict``."""

    def parameters(self) -> list[nn.Parameter]:
        """Return the trained parameters: of each layer the weights, then the bias."""
        leaves = (leaf for layer in self.layers.values() for leaf in (layer.kept, layer.trained_bias))
        return [leaf for leaf in leaves if leaf is not None]

    def write_back(self) -> None:
        """Let the next pass use what the optimizer made of the trained weights."""
        for layer in self.layers.values():
            layer.weights.write_back()

    def state_dict(self) -> dict[str, Tensor]:
        """Return all parameters and buffers under the names and in the shapes of the original network.

        They share memory with the network.
        """
        state = self.module.state_dict()
        return {name: state[name] for name in self.names}

    @torch.no_grad()
    def load(self, state: Mapping[str, Tensor]) -> None:
        """Set all parameters and buffers to what `state_dict` returned; training goes on from there."""
        for name, own in self.state_dict().items():
            own.copy_(state[name])
        for layer in self.layers.values():
            layer.write_weights(0.0, 1.0, layer.read_weights(0.0, 1.0))  # so that trained parts are set too
