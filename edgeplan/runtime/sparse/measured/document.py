"""The instance document of a network on a cluster of like devices."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from edgeplan.errors import UsageError
from edgeplan.models.sparse_update import SparseUpdate
from edgeplan.runtime.sparse.layers import TracedLayer
from edgeplan.runtime.sparse.measured.base_bytes import base_bytes
from edgeplan.runtime.sparse.measured.contributions import Contributions
from edgeplan.runtime.sparse.measured.costs import LayerCosts, costs_of

RATIOS = (0.125, 0.25, 0.5, 1.0)


@dataclass(frozen=True)
class Cluster:
    """Devices that differ in memory alone, all linked alike."""

    num_devices: int = 7
    """Number of devices."""
    least_memory: float = 0.35
    """Memory of the smallest device, as a share of what training every layer takes."""
    most_memory: float = 0.65
    """Memory of the largest; the others lie between at equal distances."""
    flops_per_s: float = 1e9
    """Speed of each."""
    bit_per_s: float = 1e8
    """Rate between any two."""
    latency_s: float = 0.002
    """Latency of a message."""

    def budgets_bytes(self, base: int, dense: int) -> list[int]:
        """Memory of each device.

        Parameters
        ----------
        base
            Bytes that a device needs whatever it updates.
        dense
            Bytes that training every layer takes.

        Raises
        ------
        UsageError
            When the smallest device cannot even run the network.

        Examples
        --------
        >>> Cluster(num_devices=3, least_memory=0.4, most_memory=0.8).budgets_bytes(300, 1000)
        [400, 600, 800]
        """
        distance = (self.most_memory - self.least_memory) / max(1, self.num_devices - 1)
        budgets = [round(dense * (self.least_memory + d * distance)) for d in range(self.num_devices)]
        if budgets[0] < base:
            raise UsageError(
                f"memory share {self.least_memory:g}: {budgets[0]:,} bytes are below the {base:,} that a "
                f"device needs whatever it updates; take at least {math.ceil(1000 * base / dense) / 1000}"
            )
        return budgets

    def sections(self, base: int, dense: int) -> dict[str, Any]:
        """Devices and network as an instance has them; the bytes are those of `budgets_bytes`."""
        devices = [
            {"id": f"device-{d}", "memory_bytes": budget, "flops_per_s": self.flops_per_s}
            for d, budget in enumerate(self.budgets_bytes(base, dense))
        ]
        return {"devices": devices, "network": {"latency_s": self.latency_s, "bit_per_s": self.bit_per_s}}


@dataclass(frozen=True)
class Offer:
    """What devices may train, and how they make a step."""

    batch_size: int = 8
    """Samples of a step."""
    ratios: tuple[float, ...] = RATIOS
    """Shares of a layer's input channels, rising, in (0, 1]."""
    momentum: bool = True
    """Whether SGD keeps a momentum of every trained parameter."""
    aggregation_weight: float = 10.0
    """Contribution that a second of aggregation costs."""


def build(
    module: nn.Module,
    layers: Sequence[TracedLayer],
    batch: Tensor,
    contributions: Contributions,
    cluster: Cluster,
    offer: Offer,
    *,
    name: str,
    notes: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write the instance of a network on a cluster.

    Parameters
    ----------
    module
        The network; it is not changed.
    layers
        Its trainable layers as `traced_layers` finds them for `batch`.
    batch
        Its input; only shape and type matter.
    contributions
        What every layer brings at every ratio, and every depth.
    cluster
        The devices.
    offer
        What they may train; the batch itself says how many samples a step has.
    name
        Title of the instance.
    notes
        More notes, each with a name that begins with ``x-``.

    Raises
    ------
    UsageError
        When the network cannot be pruned, or the smallest device cannot run it.
    InvalidInputError
        When figures or names break a rule of the problem.

    Examples
    --------
    >>> import torch
    >>> from edgeplan.runtime.sparse import traced_layers
    >>> module, batch = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)), torch.zeros(16, 4)
    >>> brings = Contributions({"0": {1.0: 1.0}, "2": {1.0: 2.0}}, (0.0, 0.1, 0.2), {"by": "hand"})
    >>> cluster, offer = Cluster(num_devices=2, least_memory=0.6), Offer(ratios=(1.0,))
    >>> layers = traced_layers(module, batch)
    >>> document = build(module, layers, batch, brings, cluster, offer, name="two layers")
    >>> [layer["options"][0]["memory_bytes"] for layer in document["layers"]]
    [512, 640]
    """
    base = base_bytes(module, layers, batch)
    costs = costs_of(module, layers, batch, momentum=offer.momentum)
    dense = base + sum(cost.bias_bytes + cost.memory_bytes(max(offer.ratios)) for cost in costs)
    document: dict[str, Any] = {
        "format": "edgeplan/1",
        "problem": "sparse_update",
        "name": name,
        "layers": [_layer(cost, contributions.weights[cost.layer.name], offer.ratios) for cost in costs],
        "depth_contribution": [*contributions.depths],
        "base_bytes": base,
        **cluster.sections(base, dense),
        "training": {"batch_size": len(batch), "gradient_bytes": costs[0].element_bytes},
        "objective": {"contribution": 1.0, "aggregation_s": offer.aggregation_weight},
    }
    SparseUpdate.from_document(document)
    memory = {"dense_bytes": dense, "momentum": offer.momentum}
    return {**document, "x-contribution": {**contributions.told}, "x-memory": memory, **(notes or {})}


def _layer(cost: LayerCosts, brings: Mapping[float, float], ratios: Sequence[float]) -> dict[str, Any]:
    return {
        "name": cost.layer.name,
        "forward_flops": cost.forward_flops,
        "input_gradient_flops": cost.forward_flops,
        "bias_bytes": cost.bias_bytes,
        "bias_parameters": cost.layer.bias_parameters,
        "options": [
            {
                "ratio": ratio,
                "memory_bytes": cost.memory_bytes(ratio),
                "contribution": brings[ratio],
                "parameters": cost.layer.parameters(ratio),
                "weight_gradient_flops": cost.weight_gradient_flops(ratio),
            }
            for ratio in ratios
        ],
    }
