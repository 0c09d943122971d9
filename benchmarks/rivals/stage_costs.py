"""What any stage would take on any node, as arrays over the runs of layers: what the rivals plan with.

A run is a pair of positions among the layers to assign: it begins at `start` and ends before `end`.
Arrays have the shape [start, end]; runs that are none are infinite, or False. All figures follow the
equations of the problem; the problem judges every plan that is made from them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from edgeplan.models.layer_assignment import LayerAssignment

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int_]


@dataclass(frozen=True)
class StageCosts:
    """Seconds, transfers and memory of the stages of one instance.

    Parameters
    ----------
    problem
        The instance.
    """

    problem: LayerAssignment
    _known_seconds: dict[str | None, tuple[Floats, float]] = field(
        default_factory=dict, init=False, repr=False
    )
    _known_memory: dict[int, Floats] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def num_positions(self) -> int:
        """Number of layers to assign."""
        return len(self.problem.figures.own)

    @cached_property
    def workers(self) -> tuple[int, ...]:
        """Nodes that hold at least the layer that needs least, in the order of the network."""
        nodes, server = self.problem.instance.network.nodes, self.problem.server
        single = self.memory_of_runs(1).diagonal(offset=1).min()
        return tuple(
            index for index, node in enumerate(nodes) if node.id != server and node.memory_bytes >= single
        )

    @cached_property
    def most_stages(self) -> int:
        """Most stages that a plan may have."""
        most = min(self.num_positions, len(self.workers))
        limit = self.problem.instance.limits.max_nodes
        return most if limit is None else min(most, limit)

    def speed(self, node: int) -> float:
        """Speed of the node on the whole network, in visits (or micro-batches) a second."""
        table, factor = self._seconds_and_factor(node)
        whole = float(table[0, -1]) * factor
        return math.inf if whole == 0 else 1 / whole

    def fastest(self) -> list[int]:
        """Workers, fastest first."""
        return sorted(self.workers, key=self.speed, reverse=True)

    def best_connected(self) -> list[int]:
        """Workers by what a visit takes at the node's own rates, transfer and all, shortest first."""
        n = self.num_positions
        singles = np.arange(n), np.arange(1, n + 1)
        if self.problem.is_pipeline:
            amount = float(np.median(self.problem.pipeline.cut_bytes[1:-1] or (0.0,)))
        else:
            amount = float(self._serial_bytes[0][singles].mean())
        return sorted(self.workers, key=lambda node: self._visit_s(node, singles, amount))

    def _visit_s(self, node: int, singles: tuple[Ints, Ints], num_bytes: float) -> float:
        here = self.problem.instance.network.nodes[node]
        rates = [rate for rate in (here.uplink_bit_per_s, here.downlink_bit_per_s) if rate is not None]
        moving_s = 2 * here.latency_s + 8 * num_bytes / min(rates, default=math.inf)
        table, factor = self._seconds_and_factor(node)
        return moving_s + factor * float(table[singles].mean())

    def rankings(self) -> tuple[list[int], ...]:
        """Return the orders in which rivals pick nodes: by speed alone, and with what moves."""
        return self.fastest(), self.best_connected()

    def arranged(self, nodes: Sequence[int]) -> list[int]:
        """Nodes in this order, or in that of the network where the instance demands it."""
        return sorted(nodes) if self.problem.instance.node_order == "given" else list(nodes)

    def seconds(self, node: int) -> Floats:
        """Compute time of every run on the node."""
        table, factor = self._seconds_and_factor(node)
        return np.asarray(table * factor)

    def _seconds_and_factor(self, node: int) -> tuple[Floats, float]:
        """Return the compute times of the node's kind, and the node's factor on them."""
        here = self.problem.instance.network.nodes[node]
        timed = self.problem.figures.timings(here) is not None
        kind = here.type if timed else None
        if kind not in self._known_seconds:
            self._known_seconds[kind] = self._seconds_at(node), here.flops_per_s
        seconds, speed = self._known_seconds[kind]
        return seconds, 1.0 if timed else speed / here.flops_per_s

    def _seconds_at(self, node: int) -> Floats:
        figures, here = self.problem.figures, self.problem.instance.network.nodes[node]
        if self.problem.is_pipeline:
            each = [figures.compute_s(here, (position,)) for position in range(self.num_positions)]
            return self._sums(each)
        return self._over_runs(lambda run: figures.compute_s(here, run))

    def _over_runs(self, figure: Callable[[tuple[int, ...]], float]) -> Floats:
        """Evaluate a figure on every run of the layers to assign."""
        n, own = self.num_positions, self.problem.figures.own
        values = np.full((n, n + 1), math.inf)
        for start in range(n):
            for end in range(start + 1, n + 1):
                values[start, end] = figure(own[start:end])
        return values

    def _sums(self, each: Sequence[float]) -> Floats:
        """Sum a figure of single layers over every run."""
        before = np.concatenate([[0.0], np.cumsum(each)])
        sums = before[None, :] - before[:-1, None]
        sums[~self._is_run] = math.inf
        return np.asarray(sums)

    @cached_property
    def _is_run(self) -> Bools:
        return np.asarray(self._lengths > 0)

    @cached_property
    def _lengths(self) -> Ints:
        n = self.num_positions
        return np.asarray(np.arange(n + 1)[None, :] - np.arange(n)[:, None])

    def fits(self, node: int, stages_to_end: int = 1) -> Bools:
        """Whether the node may own each run, of memory, length, pins and forbidden pairs.

        Parameters
        ----------
        stages_to_end
            Stages from this one to the last, itself included.
        """
        here = self.problem.instance.network.nodes[node]
        allowed = self.memory_of_runs(stages_to_end) <= here.memory_bytes
        longest = self.problem.instance.limits.max_layers_per_node
        if longest is not None:
            allowed &= self._lengths <= longest
        for position in self.kept_from(here.id):
            allowed[: position + 1, position + 1 :] = False
        return np.asarray(allowed & self._is_run)

    def kept_from(self, node_id: str) -> list[int]:
        """Positions of layers that are pinned elsewhere or forbidden on the node."""
        instance = self.problem.instance
        names = {layer for layer, node in instance.forbid if node == node_id}
        names |= {layer for layer, node in instance.pin.items() if node != node_id}
        if not names:
            return []
        return [p for p, index in enumerate(self.problem.figures.own) if self._name(index) in names]

    def _name(self, layer: int) -> str:
        return self.problem.instance.model.layers[layer].name

    def memory_of_runs(self, stages_to_end: int) -> Floats:
        """Bytes of every run as a stage so far from the end."""
        in_flight = self.problem.pipeline.in_flight(stages_to_end) if self.problem.is_pipeline else 1
        if in_flight not in self._known_memory:
            self._known_memory[in_flight] = self._memory_at(in_flight)
        return self._known_memory[in_flight]

    def _memory_at(self, in_flight: int) -> Floats:
        if not self.problem.is_pipeline:
            return self._over_runs(self.problem.figures.memory_bytes)
        saved, weights = self.pipeline_bytes
        outputs = [layer.output_bytes for layer in self.problem.instance.model.layers]
        largest = np.zeros_like(weights)
        for start in range(self.num_positions):
            around = [outputs[max(start - 1, 0)], *outputs[start:]]
            largest[start, start:] = np.maximum.accumulate(around)
        return np.asarray(weights + in_flight * saved + 2 * self.problem.pipeline.micro_batch_size * largest)

    @cached_property
    def pipeline_bytes(self) -> tuple[Floats, Floats]:
        """Bytes that one micro-batch in flight has saved, and bytes of weights and reserve."""  # (9)
        figures, layers = self.problem.pipeline, self.problem.instance.model.layers
        samples = figures.micro_batch_size if figures.is_training else 0
        each = figures.trained_weight_bytes if figures.is_training else figures.weight_bytes
        saved = self._sums([float(samples * layer.saved_bytes) for layer in layers])
        weights = self._sums([float(each * layer.parameters) for layer in layers])
        return saved, self.problem.instance.training.reserve_bytes + weights

    def arrival_s(self, before: int | None, node: int) -> Floats:
        """Time of the transfers that a stage on `node` brings with it; None: it is the first.

        Pipeline: the link from the stage before, both ways, of one micro-batch. Serial: what brings the node
        up to date, and what it returns to the server. Shape [start, 1] where only the start counts.
        """
        there, back = self._ways(before, node)
        return np.asarray(there + back)

    def arrival_cost(self, before: int | None, node: int) -> Floats:
        """Share of these transfers in the objective, but for the bottleneck."""  # (8), (11)
        weights, network = self.problem.instance.objective, self.problem.instance.network
        times = self.problem.instance.micro_batches if self.problem.is_pipeline else 1
        server = self.problem.server
        source = before if server is None else network.index_of[server]
        there, back = self._ways(before, node)
        if source is None:
            return there + back
        ends = network.nodes[source], network.nodes[node]
        powers = [end.transmit_power_w for end in ends]
        prices = sum(end.price_per_s for end in ends)
        energy = powers[0] * there + powers[1] * back
        each = weights.energy_j * energy + weights.price * prices * (there + back)
        return np.asarray(weights.time_s * (there + back) + times * each)

    def _ways(self, before: int | None, node: int) -> tuple[Floats, Floats]:
        """Seconds towards the stage's node, and back."""
        network, server = self.problem.instance.network, self.problem.server
        here, nothing = network.nodes[node].id, np.zeros((self.num_positions, 1))
        if server is not None:
            amount, returned = self._serial_bytes
            return self._move(server, here, amount), self._move(here, server, returned)
        if before is None:
            return nothing, nothing
        there = network.nodes[before].id
        if not self.problem.is_pipeline:
            return self._move(there, here, self._serial_bytes[0]), nothing
        cut = np.asarray(self.problem.pipeline.cut_bytes[:-1], dtype=float)[:, None]
        back = self._move(here, there, cut) if self.problem.pipeline.is_training else nothing
        return self._move(there, here, cut), back

    def _move(self, source: str, target: str, num_bytes: Floats) -> Floats:
        latency_s, rate = self.problem.instance.network.latency_and_rate(source, target)
        return np.asarray(latency_s + 8.0 * num_bytes / rate)

    @cached_property
    def _serial_bytes(self) -> tuple[Floats, Floats]:
        """Bytes that bring a node up to date, and bytes that the server gets back."""  # (6)
        figures = self.problem.serial
        amount = self._over_runs(lambda run: float(figures.bytes_to_update(run)))
        returned = self._over_runs(lambda run: float(figures.bytes_to_return(run)))
        amount[~self._is_run] = returned[~self._is_run] = 0.0
        return amount, returned
