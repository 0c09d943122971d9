"""What every device of a run has: the workload, its layers and the order of their channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from edgeplan.runtime.sparse.layers import TracedLayer
from edgeplan.runtime.sparse.workload import Batch, Workload

STREAM_STEPS = 1_000_000
"""Steps between the places in the stream of images where two seeds begin."""


@dataclass(frozen=True)
class Material:
    """A workload, and what a batch brings to its layers.

    Parameters
    ----------
    workload
        Network and images.
    layers
        Its trainable layers.
    orders
        Input channels of each layer, most important first; the same on every device.
    batch_size
        Samples of a step.
    """

    workload: Workload
    layers: Sequence[TracedLayer]
    orders: Mapping[str, Tensor]
    batch_size: int

    @classmethod
    def of(cls, workload: Workload, batch_size: int) -> Material:
        """Read the start, and trace the network."""
        return cls(workload, workload.layers(batch_size), workload.orders(), batch_size)

    def batch(self, device: int, step: int, seed: int = 0) -> Batch:
        """Return images and labels of a step on a device."""
        return self.workload.batch(device, seed * STREAM_STEPS + step, self.batch_size)
