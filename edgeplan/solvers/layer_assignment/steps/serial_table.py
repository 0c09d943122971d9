"""Stages of a serial instance: equations (4) to (7) over runs and nodes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from edgeplan.models.layer_assignment.serial_figures import SerialFigures
from edgeplan.models.numbers import LIMIT_TOLERANCE, nearest_float
from edgeplan.solvers.layer_assignment.steps.stage_table import (
    LARGEST_INT64,
    Bools,
    Floats,
    Ints,
    StageTable,
)


class _RunTotals:
    """Sums over the own layers of every run, from prefix sums; exact where they are integers."""

    def __init__(self, figures: SerialFigures, runs: list[tuple[int, int]]) -> None:
        self.layers = figures.instance.model.layers
        self.own = figures.own
        self.trained_shared = figures.shared if figures.instance.train_shared else ()
        self.runs = runs
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
class SerialTable(StageTable):
    """Stages of a serial instance over candidate nodes."""

    @cached_property
    def _totals(self) -> _RunTotals:
        return _RunTotals(self.problem.serial, self.runs)

    @property
    def _samples(self) -> int:
        """Samples of one visit."""
        training = self.problem.instance.training
        return training.local_steps * training.batch_size

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
            for r in range(len(self.runs))
        ]
        return np.array([min(need, LARGEST_INT64) for need in needs], dtype=np.int64)

    @property
    def _flops(self) -> Floats:  # (5)
        totals, layers = self._totals, self._totals.layers
        of_sample = (
            sum(layer.forward_flops for layer in layers)
            + np.array(totals.behind([layer.input_gradient_flops for layer in layers]), dtype=float)
            + np.array(totals.trained([layer.weight_gradient_flops for layer in layers]), dtype=float)
        )
        return np.asarray(self._samples * of_sample)

    def _measured_s(self, node_type: str) -> Floats:  # (5)
        entries = self.problem.instance.network.timings[node_type]
        totals = self._totals
        forward = sum(entries[layer.name].forward_s for layer in totals.layers)
        backward = [entries[layer.name].backward_s for layer in totals.layers]
        behind, trained = np.array(totals.behind(backward)), np.array(totals.trained(backward))
        first = np.array(totals.at_first(backward))
        return np.asarray(self._samples * (forward + (behind + first + trained) / 2), dtype=float)

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
        allowed = super().allowed
        for column in range(len(self.nodes)):
            allowed[:, column] &= self._fits_some_window(column)
        return allowed

    def _fits_some_window(self, column: int) -> Bools:  # (7)
        windows = self.node(column).available_s
        compute_s = self.compute_s[:, column]
        if windows is None:
            return np.ones(len(compute_s), dtype=bool)
        fits = np.zeros(len(compute_s), dtype=bool)
        for start, end in windows:
            fits |= start + compute_s <= end + LIMIT_TOLERANCE * max(1.0, end)
        return fits
