"""Nodes as columns: what equations (9) to (11) ask of a node, for many nodes at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.network import Node

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

BY_FLOPS = -1
NOT_ONE_NODE = -1


@dataclass(frozen=True)
class NodeColumns:
    """Columns of equal length; an entry is a node, or several that are alike or made alike.

    Parameters
    ----------
    index
        Position in ``network.nodes``; ``NOT_ONE_NODE`` where no link, pin or forbid of the instance applies.
    copies
        How many nodes the entry stands for.
    kind
        Position of the node's type among the measured ones, or ``BY_FLOPS``.
    uplink, downlink
        Rates in bit/s, ``inf`` where unlimited.
    """

    index: Ints
    copies: Ints
    kind: Ints
    flops_per_s: Floats
    memory_bytes: Ints
    uplink: Floats
    downlink: Floats
    latency_s: Floats
    compute_power_w: Floats
    transmit_power_w: Floats
    price_per_s: Floats
    samples: Ints

    @classmethod
    def of(cls, problem: LayerAssignment) -> NodeColumns:
        """Read all nodes of an instance."""
        nodes = problem.instance.network.nodes
        return cls(
            index=np.arange(len(nodes), dtype=np.int64),
            copies=np.ones(len(nodes), dtype=np.int64),
            kind=_kinds(problem),
            flops_per_s=_floats(nodes, "flops_per_s"),
            memory_bytes=np.array([node.memory_bytes for node in nodes], dtype=np.int64),
            uplink=_rates([node.uplink_bit_per_s for node in nodes]),
            downlink=_rates([node.downlink_bit_per_s for node in nodes]),
            latency_s=_floats(nodes, "latency_s"),
            compute_power_w=_floats(nodes, "compute_power_w"),
            transmit_power_w=_floats(nodes, "transmit_power_w"),
            price_per_s=_floats(nodes, "price_per_s"),
            samples=_samples(problem),
        )

    def __len__(self) -> int:
        return len(self.index)

    def take(self, rows: npt.ArrayLike) -> NodeColumns:
        """Return the entries of these rows, in this order."""
        chosen = np.asarray(rows)
        return replace(self, **{column.name: getattr(self, column.name)[chosen] for column in fields(self)})

    @property
    def figures(self) -> list[npt.NDArray[np.generic]]:
        """Every column but `index` and `copies`."""
        return [
            getattr(self, column.name) for column in fields(self) if column.name not in ("index", "copies")
        ]


def measured_types(problem: LayerAssignment) -> list[str]:
    """Names of the types with timings, in the document's order."""
    return list(problem.instance.network.timings)


def _kinds(problem: LayerAssignment) -> Ints:
    nodes = problem.instance.network.nodes
    position = {name: index for index, name in enumerate(measured_types(problem))}
    if not position:
        return np.full(len(nodes), BY_FLOPS, dtype=np.int64)
    kinds = [
        position.get(node.type, BY_FLOPS) if "type" in node.model_fields_set else BY_FLOPS for node in nodes
    ]
    return np.array(kinds, dtype=np.int64)


def _floats(nodes: Sequence[Node], attribute: str) -> Floats:
    return np.array([getattr(node, attribute) for node in nodes], dtype=np.float64)


def _rates(rates: Sequence[float | None]) -> Floats:
    values = np.array(rates, dtype=np.float64)  # None reads as NaN
    values[np.isnan(values)] = np.inf
    return values


def _samples(problem: LayerAssignment) -> Ints:
    nodes = problem.instance.network.nodes
    if not problem.instance.limits.min_samples:
        return np.zeros(len(nodes), dtype=np.int64)
    return np.array([min(node.num_samples, 2**53) for node in nodes], dtype=np.int64)
