"""Every possible stage of an instance at once: memory, compute time and limits over runs and nodes.

A run is a pair of positions (a, b) in R, the layers that are assigned; the stage owns R[a:b]. Runs are
rows, candidate nodes are columns. What depends on the node before is in the arcs: [run, sender class,
node].
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.network import Node

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

LARGEST_INT64 = 2**62


@dataclass(frozen=True)
class StageTable(ABC):
    """Stages over candidate nodes; a schedule adds its equations.

    Parameters
    ----------
    problem
        The instance.
    nodes
        Indices of the candidate nodes in ``network.nodes``, without the server.
    """

    problem: LayerAssignment
    nodes: tuple[int, ...]

    @property
    def num_positions(self) -> int:
        """Number of own layers, n."""
        return len(self.problem.figures.own)

    @cached_property
    def runs(self) -> list[tuple[int, int]]:
        """Start and end of every run, in the order of rows."""
        n = self.num_positions
        return [(start, end) for start in range(n) for end in range(start + 1, n + 1)]

    @cached_property
    def run_starts(self) -> Ints:
        """Position a of each run, shape [runs]."""
        return np.array([start for start, _ in self.runs], dtype=np.int64)

    @cached_property
    def run_ends(self) -> Ints:
        """Position b of each run, shape [runs]."""
        return np.array([end for _, end in self.runs], dtype=np.int64)

    def run(self, start: int, end: int) -> int:
        """Row of the run from `start` to `end`."""
        n = self.num_positions
        return start * n - start * (start - 1) // 2 + end - start - 1

    @property
    def whole_run(self) -> int:
        """Row of the run of all own layers."""
        return self.run(0, self.num_positions)

    def node(self, column: int) -> Node:
        """Return the node of a column."""
        return self.problem.instance.network.nodes[self.nodes[column]]

    def of_nodes(self, attribute: str) -> Floats:
        """Return a figure of every node, shape [nodes]."""
        return np.array([float(getattr(self.node(column), attribute)) for column in range(len(self.nodes))])

    @property
    @abstractmethod
    def memory_bytes(self) -> Ints:
        """Least memory of each run, shape [runs], exact; what no node can have is cut to 2^62."""

    @property
    def tail_limits(self) -> Ints | None:
        """Most stages from a run to the end, itself included, with which it fits the node.

        Shape [runs, nodes], n and more for any number; None where memory never depends on it.
        """
        return None

    @cached_property
    def compute_s(self) -> Floats:
        """Compute time, shape [runs, nodes]."""
        with np.errstate(over="ignore"):  # beyond a float is infinite, and never allowed
            seconds: Floats = self._flops[:, None] / self.of_nodes("flops_per_s")[None, :]
        for node_type in self.problem.instance.network.timings:
            columns = [
                column
                for column in range(len(self.nodes))
                if self.node(column).type == node_type and "type" in self.node(column).model_fields_set
            ]
            if columns:
                seconds[:, columns] = self._measured_s(node_type)[:, None]
        return seconds

    @property
    @abstractmethod
    def _flops(self) -> Floats:
        """FLOPs of one visit or one micro-batch, shape [runs]."""

    @abstractmethod
    def _measured_s(self, node_type: str) -> Floats:
        """Compute time on nodes of a measured type, shape [runs]."""

    @cached_property
    def allowed(self) -> Bools:
        """Whether the node may serve the run, all limits of the single stage kept, shape [runs, nodes]."""
        budgets = np.array([self.node(column).memory_bytes for column in range(len(self.nodes))])
        allowed: Bools = self.memory_bytes[:, None] <= budgets[None, :]  # (4), (9)
        most = self.problem.instance.limits.max_layers_per_node
        if most is not None:
            allowed &= (self.run_ends - self.run_starts <= most)[:, None]
        self._apply_pins_and_forbids(allowed)
        return allowed

    def _apply_pins_and_forbids(self, allowed: Bools) -> None:  # (3)
        instance, figures = self.problem.instance, self.problem.figures
        position_of = {instance.model.layers[layer].name: p for p, layer in enumerate(figures.own)}
        column_of = {self.node(column).id: column for column in range(len(self.nodes))}
        for layer, node in instance.pin.items():
            has_layer = self._holds(position_of[layer])
            pinned = np.arange(len(self.nodes)) == column_of.get(node, -1)
            allowed &= has_layer[:, None] == pinned[None, :]
        for layer, node in instance.forbid:
            if node in column_of:
                allowed[:, column_of[node]] &= ~self._holds(position_of[layer])

    def _holds(self, position: int) -> Bools:
        return np.asarray((self.run_starts <= position) & (position < self.run_ends))
