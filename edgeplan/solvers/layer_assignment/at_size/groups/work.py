"""What runs need, whichever node serves them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.solvers.layer_assignment.at_size.groups.kinds import ROW, Kinds, kinds_of, work_types
from edgeplan.solvers.layer_assignment.steps.serial_table import SerialTable
from edgeplan.solvers.layer_assignment.steps.stage_table import Bools, Floats, Ints


@dataclass(frozen=True)
class Work:
    """Runs of a serial instance and the kinds of nodes that may serve them.

    Parameters
    ----------
    problem
        The instance.
    """

    problem: LayerAssignment

    @cached_property
    def _representatives(self) -> SerialTable:
        """A table over one node of each work type; column 0 is any node."""
        nodes = self.problem.instance.network.nodes
        types = work_types(self.problem)
        timed = {
            node.type: k
            for k, node in enumerate(nodes)
            if "type" in node.model_fields_set and node.type in types
        }
        plain = [
            k for k, node in enumerate(nodes) if node.type not in timed or "type" not in node.model_fields_set
        ]
        return SerialTable(self.problem, (plain[0] if plain else 0, *(timed.get(name, 0) for name in types)))

    @cached_property
    def kinds(self) -> Kinds:
        """The kinds of nodes."""
        return kinds_of(self.problem, self._needs)

    @property
    def num_positions(self) -> int:
        """Number of own layers, n."""
        return self._representatives.num_positions

    @property
    def is_peer(self) -> bool:
        """Whether parameters go from node to node."""
        return self.problem.server is None

    @property
    def starts(self) -> Ints:
        """Position at which each run starts, shape [runs]."""
        return self._representatives.run_starts

    @property
    def ends(self) -> Ints:
        """Position at which each run ends, shape [runs]."""
        return self._representatives.run_ends

    def run(self, start: int, end: int) -> int:
        """Row of a run."""
        return self._representatives.run(start, end)

    @cached_property
    def units(self) -> Floats:
        """Work of each run: FLOPs in column 0, measured seconds of each timed type, [types + 1, runs]."""
        nodes = self.problem.instance.network.nodes
        units = self._representatives.compute_s.T.copy()
        units[0] *= nodes[self._representatives.nodes[0]].flops_per_s
        return units

    @property
    def bits_in(self) -> Floats:
        """Bits that bring a node up to date, 8 D, shape [runs]."""  # (6)
        return 8.0 * self._representatives.bytes_in

    @property
    def bits_out(self) -> Floats:
        """Bits that a server gets back, shape [runs]."""  # (6)
        return 8.0 * self._representatives.bytes_out

    @cached_property
    def _needs(self) -> Ints:
        return np.sort(self._representatives.memory_bytes[self.open_runs])

    @cached_property
    def memory_ranks(self) -> Ints:
        """How many open runs a node must have room for to serve a run, shape [runs]."""  # (4)
        return np.searchsorted(self._needs, self._representatives.memory_bytes, side="left") + 1

    @cached_property
    def open_runs(self) -> Bools:
        """Runs that a node without pins may serve, memory aside, shape [runs]."""  # (3)
        limits, instance = self.problem.instance.limits, self.problem.instance
        lengths = self.ends - self.starts
        allowed = lengths <= (limits.max_layers_per_node or self.num_positions)
        position_of = {instance.model.layers[k].name: p for p, k in enumerate(self.problem.figures.own)}
        for layer in instance.pin:
            allowed &= ~((self.starts <= position_of[layer]) & (position_of[layer] < self.ends))
        return np.asarray(allowed)

    def allowed(self, corner: Floats, special_member: int | None) -> Bools:
        """Runs that a column may serve, shape [runs].

        Parameters
        ----------
        corner
            Figures of the column, shape [FIGURES].
        special_member
            Index of its node where pins or forbids single it out.
        """
        if special_member is not None:
            return np.asarray(SerialTable(self.problem, (special_member,)).allowed[:, 0])
        return np.asarray(self.open_runs & (self.memory_ranks <= -corner[ROW["lacking_memory"]]))

    def stage_costs(self, corners: Floats, work_types: Ints, run: int) -> Floats:
        """Weighted cost of one run on many columns but for its transfers, shape [columns]."""  # (5), (8)
        weights = self.problem.instance.objective
        seconds = self.units[work_types, run] * corners[ROW["unit_s"]]
        power, price = corners[ROW["compute_power_w"]], corners[ROW["price_per_s"]]
        return np.asarray(seconds * (weights.time_s + weights.energy_j * power + weights.price * price))
