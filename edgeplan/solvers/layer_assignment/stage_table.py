"""Every possible stage of a serial instance at once: equations (4) to (8) over runs and nodes.

A run is a pair of positions (a, b) in R, the layers that are not shared; the stage owns R[a:b]. Runs
are rows, candidate nodes are columns. Terms that depend on where the parameters come from are arcs:
[run, sender class, node]. Nodes that cost the same as senders share a class, so equal nodes cost
nothing extra. The server is the one class of transport server.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
import numpy.typing as npt

from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.layer_assignment.plan_cost import LIMIT_TOLERANCE, nearest_float
from edgeplan.models.layer_assignment.serial_figures import SerialFigures
from edgeplan.models.network import Node

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_LARGEST_INT64 = 2**62


class _RunTotals:
    """Sums over the own layers of every run, from prefix sums; exact where they are integers."""

    def __init__(self, figures: SerialFigures) -> None:
        self.layers = figures.instance.model.layers
        self.own = figures.own
        self.trained_shared = figures.shared if figures.instance.train_shared else ()
        self.runs = [(a, b) for a in range(len(self.own)) for b in range(a + 1, len(self.own) + 1)]
        self.first = [min([self.own[a], *self.trained_shared[:1]]) for a, _ in self.runs]

    def trained(self, values: Sequence[float]) -> list[float]:
        """Sum over T of each run."""
        prefix = _prefix_sums([values[index] for index in self.own])
        shared = sum(values[index] for index in self.trained_shared)
        return [prefix[b] - prefix[a] + shared for a, b in self.runs]

    def behind(self, values: Sequence[float]) -> list[float]:
        """Sum over the layers behind the first trained one, of each run."""
        prefix = _prefix_sums(values)
        return [prefix[-1] - prefix[first + 1] for first in self.first]

    def at_first(self, values: Sequence[float]) -> list[float]:
        """Value of the first trained layer of each run."""
        return [values[first] for first in self.first]


def _prefix_sums(values: Sequence[float]) -> list[float]:
    sums: list[float] = [0]
    for value in values:
        sums.append(sums[-1] + value)
    return sums


@dataclass(frozen=True)
class StageTable:
    """Stages of a serial instance over candidate nodes.

    Parameters
    ----------
    problem
        The instance.
    nodes
        Indices of the candidate nodes in ``network.nodes``, without the server.
    """

    problem: LayerAssignment
    nodes: tuple[int, ...]

    @cached_property
    def _totals(self) -> _RunTotals:
        return _RunTotals(self.problem.serial)

    @property
    def num_positions(self) -> int:
        """Number of own layers, n."""
        return len(self.problem.figures.own)

    @cached_property
    def run_starts(self) -> Ints:
        """Position a of each run, shape [runs]."""
        return np.array([a for a, _ in self._totals.runs], dtype=np.int64)

    @cached_property
    def run_ends(self) -> Ints:
        """Position b of each run, shape [runs]."""
        return np.array([b for _, b in self._totals.runs], dtype=np.int64)

    def run(self, start: int, end: int) -> int:
        """Row of the run from `start` to `end`."""
        n = self.num_positions
        return start * n - start * (start - 1) // 2 + end - start - 1

    def _node(self, column: int) -> Node:
        return self.problem.instance.network.nodes[self.nodes[column]]

    def _of_nodes(self, attribute: str) -> Floats:
        return np.array([float(getattr(self._node(column), attribute)) for column in range(len(self.nodes))])

    @cached_property
    def memory_bytes(self) -> Ints:
        """Memory of each run, shape [runs], exact; what no node can have is cut to 2^62."""  # (4)
        figures, totals, layers = self.problem.serial, self._totals, self._totals.layers
        training = self.problem.instance.training
        all_parameters = figures.parameters(range(len(layers)))
        trained = totals.trained([layer.parameters for layer in layers])
        saved = totals.trained([layer.saved_bytes for layer in layers])
        frozen = [layer.saved_frozen_bytes for layer in layers]
        behind, own, first = totals.behind(frozen), totals.trained(frozen), totals.at_first(frozen)
        largest = 2 * max(layer.output_bytes for layer in layers)
        extra_weight = figures.trained_weight_bytes - figures.frozen_weight_bytes
        fixed = training.reserve_bytes + figures.frozen_weight_bytes * all_parameters
        unit = math.lcm(fixed.denominator, extra_weight.denominator)  # whole numbers of 1 / unit bytes
        fixed_units, extra_units = int(fixed * unit), int(extra_weight * unit)
        activation_units = unit * training.batch_size
        needs = [
            -(
                -(
                    fixed_units
                    + extra_units * int(trained[r])
                    + activation_units * int(saved[r] + behind[r] - own[r] + first[r] + largest)
                )
                // unit
            )
            for r in range(len(totals.runs))
        ]
        return np.array([min(need, _LARGEST_INT64) for need in needs], dtype=np.int64)

    @cached_property
    def compute_s(self) -> Floats:
        """Compute time, shape [runs, nodes]."""  # (5)
        training, totals, layers = self.problem.instance.training, self._totals, self._totals.layers
        samples = training.local_steps * training.batch_size
        flops = (
            sum(layer.forward_flops for layer in layers)
            + np.array(totals.behind([layer.input_gradient_flops for layer in layers]), dtype=float)
            + np.array(totals.trained([layer.weight_gradient_flops for layer in layers]), dtype=float)
        )
        with np.errstate(over="ignore"):  # beyond a float is infinite, and never allowed
            seconds: Floats = samples * flops[:, None] / self._of_nodes("flops_per_s")[None, :]
        for node_type in self.problem.instance.network.timings:
            columns = [
                column
                for column in range(len(self.nodes))
                if self._node(column).type == node_type and "type" in self._node(column).model_fields_set
            ]
            seconds[:, columns] = samples * self._measured_s(node_type)[:, None]
        return seconds

    def _measured_s(self, node_type: str) -> Floats:
        entries = self.problem.instance.network.timings[node_type]
        totals = self._totals
        forward = sum(entries[layer.name].forward_s for layer in totals.layers)
        backward = [entries[layer.name].backward_s for layer in totals.layers]
        behind, trained = np.array(totals.behind(backward)), np.array(totals.trained(backward))
        first = np.array(totals.at_first(backward))
        return np.asarray(forward + (behind + first + trained) / 2, dtype=float)

    @cached_property
    def bytes_in(self) -> Floats:
        """Bytes that bring the node up to date, D, shape [runs]."""  # (6)
        figures = self.problem.serial
        shared = figures.parameters(figures.shared)
        trained = self._totals.trained([layer.parameters for layer in self._totals.layers])
        own_shared = shared if self.problem.instance.train_shared else 0
        changed = figures.parameters(figures.own) + own_shared
        return np.array(
            [nearest_float(figures.weight_bytes * int(changed - (total - own_shared))) for total in trained]
        )

    @cached_property
    def bytes_out(self) -> Floats:
        """Bytes that the server gets back, shape [runs]."""  # (6)
        trained = self._totals.trained([layer.parameters for layer in self._totals.layers])
        weight_bytes: Fraction = self.problem.serial.weight_bytes
        return np.array([nearest_float(weight_bytes * int(total)) for total in trained])

    @cached_property
    def allowed(self) -> Bools:
        """Whether the node may serve the run, all limits of the single stage kept, shape [runs, nodes]."""
        budgets = np.array([self._node(column).memory_bytes for column in range(len(self.nodes))])
        allowed = self.memory_bytes[:, None] <= budgets[None, :]  # (4)
        most = self.problem.instance.limits.max_layers_per_node
        if most is not None:
            allowed &= (self.run_ends - self.run_starts <= most)[:, None]
        self._apply_pins_and_forbids(allowed)
        for column in range(len(self.nodes)):
            allowed[:, column] &= self._fits_some_window(column)
        return allowed

    def _apply_pins_and_forbids(self, allowed: Bools) -> None:  # (3)
        instance, figures = self.problem.instance, self.problem.figures
        position_of = {instance.model.layers[layer].name: p for p, layer in enumerate(figures.own)}
        column_of = {self._node(column).id: column for column in range(len(self.nodes))}
        for layer, node in instance.pin.items():
            has_layer = self._holds(position_of[layer])
            pinned = np.arange(len(self.nodes)) == column_of.get(node, -1)
            allowed &= has_layer[:, None] == pinned[None, :]
        for layer, node in instance.forbid:
            if node in column_of:
                allowed[:, column_of[node]] &= ~self._holds(position_of[layer])

    def _holds(self, position: int) -> Bools:
        return np.asarray((self.run_starts <= position) & (position < self.run_ends))

    def _fits_some_window(self, column: int) -> Bools:  # (7)
        windows = self._node(column).available_s
        compute_s = self.compute_s[:, column]
        if windows is None:
            return np.ones(len(compute_s), dtype=bool)
        fits = np.zeros(len(compute_s), dtype=bool)
        for start, end in windows:
            fits |= start + compute_s <= end + LIMIT_TOLERANCE * max(1.0, end)
        return fits
