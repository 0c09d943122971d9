"""Runs of layers: work, measured seconds and memory of every stage that begins and ends somewhere."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.nodes import (
    BY_FLOPS,
    Bools,
    Floats,
    Ints,
    NodeColumns,
    measured_types,
)

ROUNDING = 1e-12
"""Relative slack of every comparison with a threshold, so that rounding never cuts a plan off."""
_NO_NODE_HAS = 2**53


def relaxed(threshold_s: float) -> float:
    """Return the threshold with the slack of rounding."""
    return threshold_s * (1.0 + ROUNDING)


@dataclass(frozen=True)
class Runs:
    """Equations (9) and (10) over all runs; a run is a pair (start, end) of positions.

    Parameters
    ----------
    problem
        An instance with schedule pipeline.
    """

    problem: LayerAssignment

    @cached_property
    def num_layers(self) -> int:
        """Number of layers, n."""
        return len(self.problem.instance.model.layers)

    @cached_property
    def most_layers(self) -> int:
        """Most layers of a stage."""
        return min(self.problem.instance.limits.max_layers_per_node or self.num_layers, self.num_layers)

    @cached_property
    def cut_bytes(self) -> Floats:
        """Bytes that cross each cut, b X, shape [n + 1]."""  # (10)
        return np.array(self.problem.pipeline.cut_bytes, dtype=np.float64)

    @cached_property
    def flops(self) -> Floats:
        """FLOPs of a micro-batch, shape [start, end]."""  # (10)
        b = self.problem.pipeline.micro_batch_size
        return b * _sums_from_each_start(np.array(self.problem.pipeline.layer_flops, dtype=np.float64))

    @cached_property
    def measured_s(self) -> Floats:
        """Measured seconds of a micro-batch, shape [kind, start, end]."""  # (10)
        figures, network = self.problem.pipeline, self.problem.instance.network
        tables = [np.zeros((0, self.num_layers, self.num_layers + 1))]
        for name in measured_types(self.problem):
            of_layer = [network.timings[name][layer.name] for layer in self.problem.instance.model.layers]
            seconds = _sums_from_each_start(np.array([timing.forward_s for timing in of_layer]))
            if figures.is_training:
                seconds += _sums_from_each_start(np.array([timing.backward_s for timing in of_layer]))
            tables.append(figures.micro_batch_size * seconds[None])
        return np.concatenate(tables)

    @cached_property
    def levels(self) -> Ints:
        """The different numbers of micro-batches in flight, f, rising."""  # (9)
        figures, n = self.problem.pipeline, self.num_layers
        if not figures.is_training or not any(
            layer.saved_bytes for layer in self.problem.instance.model.layers
        ):
            return np.array([1], dtype=np.int64)
        return np.unique([figures.in_flight(stages_to_end) for stages_to_end in range(1, n + 1)])

    def level_of(self, stages_to_end: int) -> int:
        """Position in `levels` of a stage with this many stages to the end, itself included."""
        return min(stages_to_end, len(self.levels)) - 1

    @cached_property
    def memory_bytes(self) -> Ints:
        """Memory of each run, shape [level, start, end], cut to 2^53, which no node has."""  # (9)
        base, per_level = self._memory_parts
        tables = []
        for in_flight in self.levels.tolist():
            too_much = per_level > (_NO_NODE_HAS - base) // in_flight
            tables.append(
                np.where(too_much, _NO_NODE_HAS, base + in_flight * np.where(too_much, 0, per_level))
            )
        return np.stack(tables)

    @cached_property
    def _memory_parts(self) -> tuple[Ints, Ints]:
        """What a run needs anyway, and what for each micro-batch in flight, shape [start, end]."""
        figures, training, n = self.problem.pipeline, self.problem.instance.training, self.num_layers
        layers, b = self.problem.instance.model.layers, figures.micro_batch_size
        weight = figures.trained_weight_bytes if figures.is_training else figures.weight_bytes
        base, per_level = np.zeros((n, n + 1), dtype=np.int64), np.zeros((n, n + 1), dtype=np.int64)
        for start in range(n):
            parameters = saved = 0
            largest = layers[max(start - 1, 0)].output_bytes
            for end in range(start + 1, n + 1):
                layer = layers[end - 1]
                parameters += layer.parameters
                saved += layer.saved_bytes if figures.is_training else 0
                largest = max(largest, layer.output_bytes)
                weights = -(-weight.numerator * parameters // weight.denominator)
                base[start, end] = min(training.reserve_bytes + weights + 2 * b * largest, _NO_NODE_HAS)
                per_level[start, end] = min(b * saved, _NO_NODE_HAS)
        return base, per_level

    def compute_s(self, nodes: NodeColumns, start: int, end: int) -> Floats:
        """Seconds of one run on each node."""  # (10)
        with np.errstate(over="ignore"):
            seconds = self.flops[start, end] / nodes.flops_per_s
        measured = nodes.kind != BY_FLOPS
        if measured.any():
            seconds[measured] = self.measured_s[nodes.kind[measured], start, end]
        return np.asarray(seconds)

    def ends_in_time(self, nodes: NodeColumns, start: int, most_s: float) -> Ints:
        """Last end of a run from `start` that each node computes in its time; `start` if none."""
        last = self._last_end(start)
        with np.errstate(over="ignore"):
            work = most_s * nodes.flops_per_s
        ends = start + np.searchsorted(self.flops[start, start + 1 : last + 1], work, side="right")
        for kind in np.unique(nodes.kind[nodes.kind != BY_FLOPS]):
            seconds = self.measured_s[kind, start, start + 1 : last + 1]
            ends[nodes.kind == kind] = start + np.searchsorted(seconds, most_s, side="right")
        return ends

    def ends_in_memory(self, nodes: NodeColumns, start: int, level: int) -> Ints:
        """Last end of a run from `start` that each node's memory holds; `start` if none."""
        needs = self.memory_bytes[level, start, start + 1 : self._last_end(start) + 1]
        return start + np.searchsorted(needs, nodes.memory_bytes, side="right")

    def _last_end(self, start: int) -> int:
        return min(start + self.most_layers, self.num_layers)

    def first_start(self, end: int) -> int:
        """First start of a run that ends at `end`."""
        return max(end - self.most_layers, 0)

    def starts_in_time(self, nodes: NodeColumns, end: int, most_s: float) -> Ints:
        """First start of a run to `end` that each node computes in this time; `end` if none."""
        first = self.first_start(end)
        with np.errstate(over="ignore"):
            work = most_s * nodes.flops_per_s
        starts = end - np.searchsorted(self.flops[first:end, end][::-1], work, side="right")
        for kind in np.unique(nodes.kind[nodes.kind != BY_FLOPS]):
            seconds = self.measured_s[kind, first:end, end][::-1]
            starts[nodes.kind == kind] = end - np.searchsorted(seconds, most_s, side="right")
        return starts

    def starts_in_memory(self, nodes: NodeColumns, end: int, level: int) -> Ints:
        """First start of a run to `end` that each node's memory holds; `end` if none."""
        needs = self.memory_bytes[level, self.first_start(end) : end, end][::-1]
        return end - np.searchsorted(needs, nodes.memory_bytes, side="right")

    def compute_to(self, nodes: NodeColumns, first: int, end: int) -> Floats:
        """Seconds of the runs from `first` and later to `end` on each node, shape [start - first, node]."""
        with np.errstate(over="ignore"):
            seconds = self.flops[first:end, end, None] / nodes.flops_per_s
        for kind in np.unique(nodes.kind[nodes.kind != BY_FLOPS]):
            seconds[:, nodes.kind == kind] = self.measured_s[kind, first:end, end, None]
        return seconds

    def serve(self, nodes: NodeColumns, start: int, end: int, level: int) -> Bools:
        """Which nodes hold one run in memory."""
        return np.asarray(nodes.memory_bytes >= self.memory_bytes[level, start, end])


def _sums_from_each_start(values: Floats) -> Floats:
    """Sums over every run, shape [start, end]; added from left to right as the problem does."""
    n = len(values)
    table = np.zeros((n, n + 1))
    for start in range(n):
        table[start, start + 1 :] = np.cumsum(values[start:])
    return table
