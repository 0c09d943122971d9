"""A device's copy of the network, of which it trains its own part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from edgeplan.models.sparse_update.plan import DevicePlan, Slice
from edgeplan.runtime.learning.workload import fingerprint
from edgeplan.runtime.sparse.execution.device.material import Material
from edgeplan.runtime.sparse.network import PrunedNetwork
from edgeplan.runtime.sparse.pruning import prune
from edgeplan.runtime.sparse.workload import Batch
from edgeplan.runtime.sparse.workload.scoring import loss_of

_NETWORK, _MOMENTUM = "network/", "momentum/"


class Replica:
    """The common start, pruned to what one device trains, with the device's optimizer.

    The momentum of what a device trains is its own and stays: only parameters are averaged.

    Parameters
    ----------
    material
        The start, and how it is trained.
    trained
        Depth and updates of the device.
    """

    def __init__(self, material: Material, trained: DevicePlan) -> None:
        ratios = {update.layer: update.ratio for update in trained.updates}
        settings = material.workload.settings
        self.network: PrunedNetwork = prune(
            material.workload.start(),
            material.layers,
            depth=trained.depth,
            ratios=ratios,
            orders=material.orders,
        )
        leaves = self.network.parameters()
        self._optimizer = (
            torch.optim.SGD(leaves, lr=settings.learning_rate, momentum=settings.momentum) if leaves else None
        )

    def train(self, batch: Batch) -> float:
        """Take a step of SGD, and return the loss before it."""
        loss = loss_of(self.network.module, batch)
        if self._optimizer is not None:
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimizer.step()
            self._optimizer.zero_grad(set_to_none=True)
            self.network.write_back()
        return loss.item()

    def read(self, part: Slice) -> Tensor:
        """Copy a slice into a vector, trained here or not."""
        layer = self.network.layers[part.layer]
        return layer.read_bias() if part.bias else layer.read_weights(*_bounds(part))

    def write(self, part: Slice, values: Tensor) -> None:
        """Set a slice, trained here or not; training goes on from there."""
        layer = self.network.layers[part.layer]
        if part.bias:
            layer.write_bias(values)
        else:
            layer.write_weights(*_bounds(part), values)

    def state(self) -> dict[str, Tensor]:
        """Return all that training goes on from: parameters, buffers, and the momentum of what is trained."""
        return {
            **{f"{_NETWORK}{name}": tensor for name, tensor in self.network.state_dict().items()},
            **{f"{_MOMENTUM}{index}": tensor for index, tensor in self._momentum()},
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` returned."""
        parts = {name: state[f"{_NETWORK}{name}"] for name in self.network.names}
        self.network.load(parts)
        for index, leaf in enumerate(self.network.parameters()):
            if f"{_MOMENTUM}{index}" in state:
                assert self._optimizer is not None
                self._optimizer.state[leaf]["momentum_buffer"] = state[f"{_MOMENTUM}{index}"]

    def _momentum(self) -> Iterator[tuple[int, Tensor]]:
        for index, leaf in enumerate(self.network.parameters()):
            assert self._optimizer is not None
            buffer = self._optimizer.state[leaf].get("momentum_buffer")
            if buffer is not None:
                yield index, buffer

    def fingerprint(self) -> str:
        """Hash of all parameters and buffers, so that equal means bit-identical."""
        return fingerprint(list(self.network.state_dict().values()))


def _bounds(part: Slice) -> tuple[float, float]:
    assert part.from_ is not None
    assert part.to is not None
    return part.from_, part.to
