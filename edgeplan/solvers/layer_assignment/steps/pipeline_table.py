"""Stages of a pipeline: equations (9) and (10) over runs and nodes."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from edgeplan.models.layer_assignment.pipeline_figures import PipelineFigures
from edgeplan.models.model import Layer
from edgeplan.solvers.layer_assignment.steps.stage_table import (
    LARGEST_INT64,
    Floats,
    Ints,
    StageTable,
)


@dataclass(frozen=True)
class PipelineTable(StageTable):
    """Stages of a pipeline over candidate nodes."""

    @property
    def figures(self) -> PipelineFigures:
        """Equations (9) and (10)."""
        return self.problem.pipeline

    def _of_runs(self, values: Sequence[Any], combine: Callable[[Any, Any], Any] = operator.add) -> list[Any]:
        """Sum of the layers' values over each run, or another combination of them."""
        starts = range(self.num_positions)
        return [value for start in starts for value in accumulate(values[start:], combine)]

    @property
    def _layers(self) -> tuple[Layer, ...]:
        return self.problem.instance.model.layers

    @cached_property
    def _fixed_bytes(self) -> Ints:
        """Memory of each run but for what is saved, rounded up, shape [runs]."""  # (9)
        training, figures = self.problem.instance.training, self.figures
        of_parameter = figures.trained_weight_bytes if figures.is_training else figures.weight_bytes
        outputs = [layer.output_bytes for layer in self._layers]
        around = [max(pair) for pair in pairwise([0, *outputs])]  # a layer and the one before
        pairs = zip(
            self._of_runs([layer.parameters for layer in self._layers]),
            self._of_runs(around, max),
            strict=True,
        )
        buffers = 2 * figures.micro_batch_size
        return _cut(
            [
                training.reserve_bytes + math.ceil(of_parameter * parameters) + buffers * largest
                for parameters, largest in pairs
            ]
        )

    @cached_property
    def _saved_bytes(self) -> Ints:
        """What a micro-batch in flight leaves in the memory of each run, shape [runs]."""  # (9)
        if not self.figures.is_training:
            return np.zeros(len(self.runs), dtype=np.int64)
        saved = self._of_runs([layer.saved_bytes for layer in self._layers])
        return _cut([self.figures.micro_batch_size * total for total in saved])

    @cached_property
    def memory_bytes(self) -> Ints:
        """Memory of each run as the last stage, shape [runs], exact; cut to 2^62."""  # (9)
        in_flight = self.figures.in_flight(1)
        pairs = zip(self._fixed_bytes.tolist(), self._saved_bytes.tolist(), strict=True)
        return _cut([fixed + in_flight * saved for fixed, saved in pairs])

    @property
    def memory_needs(self) -> Ints:
        """Every memory that some run needs at some place of the pipeline, sorted."""  # (9)
        levels = {self.figures.in_flight(stages) for stages in range(1, self.num_positions + 1)}
        saved, fixed = self._saved_bytes.tolist(), self._fixed_bytes.tolist()
        needs = {base + level * extra for base, extra in zip(fixed, saved, strict=True) for level in levels}
        return _cut(sorted(needs))

    @cached_property
    def tail_limits(self) -> Ints | None:
        """Most stages from a run to the end, itself included, with which it fits the node."""  # (9)
        if not self.figures.is_training or self.problem.instance.in_flight == "gpipe":
            return None
        nodes, n = self.problem.instance.network.nodes, self.num_positions
        room = np.array([nodes[index].memory_bytes for index in self.nodes]) - self._fixed_bytes[:, None]
        most = np.maximum(room, 0) // np.maximum(self._saved_bytes, 1)[:, None]
        unlimited = (most >= self.problem.instance.micro_batches) | (self._saved_bytes == 0)[:, None]
        most_stages = min(len(nodes), self.problem.instance.limits.max_nodes or n)
        unlimited |= most >= np.minimum(n - self.run_starts, most_stages)[:, None]
        limits = np.where(unlimited, n, most)
        return limits if (limits[self.allowed] < n).any() else None

    @cached_property
    def _flops(self) -> Floats:  # (10)
        return self.figures.micro_batch_size * np.array(self._of_runs(self.figures.layer_flops), dtype=float)

    def _measured_s(self, node_type: str) -> Floats:  # (10)
        entries = self.problem.instance.network.timings[node_type]
        seconds = [entries[layer.name].forward_s for layer in self._layers]
        total = np.array(self._of_runs(seconds), dtype=float)
        if self.figures.is_training:
            total += np.array(self._of_runs([entries[layer.name].backward_s for layer in self._layers]))
        return np.asarray(self.figures.micro_batch_size * total)

    @cached_property
    def cut_bytes(self) -> Floats:
        """Bytes that a micro-batch sends over the cut before each position, b X, shape [n + 1]."""  # (10)
        return np.array(self.figures.cut_bytes, dtype=float)


def _cut(amounts: list[int]) -> Ints:
    return np.array([min(amount, LARGEST_INT64) for amount in amounts], dtype=np.int64)
