"""Contributions in points of accuracy, from training each layer alone.

The whole weights of a layer are trained alone for some steps, and the accuracy on held-out images is taken
before and after. A part of a layer is taken to bring the share of the gain that its channels have in the
layer's squared gradients. Biases are trained together from each depth on. A gain below zero counts as none.

Source: the contribution analysis of MCUNetV3, J. Lin et al., NeurIPS 2022, arXiv:2206.15472.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from edgeplan.runtime.profiling.trial import threads_limited
from edgeplan.runtime.sparse.layers import TracedLayer
from edgeplan.runtime.sparse.measured.contributions import Contributions
from edgeplan.runtime.sparse.workload.importance import Importance
from edgeplan.runtime.sparse.workload.scoring import loss_of
from edgeplan.runtime.sparse.workload.workload import Workload

BATCH_SIZE = 32
NUM_STEPS = 20

Progress = Callable[[int, int], None]
"""Called with the trials done and their number."""


def gained(
    workload: Workload,
    layers: Sequence[TracedLayer],
    ratios: Sequence[float],
    *,
    num_steps: int = NUM_STEPS,
    on_progress: Progress | None = None,
) -> Contributions:
    """Measure gains, two trials a layer: of its weights, and of the biases from it to the last.

    Parameters
    ----------
    workload
        Network and images.
    layers
        All trainable layers, from input to output.
    ratios
        Shares of the channels.
    num_steps
        Steps of a trial, with batches of 32 images of all devices.
    on_progress
        Called with the trials done and their number.
    """
    importance = workload.importance()
    trials = _Trials(workload, num_steps, 2 * len(layers), on_progress)
    with threads_limited(1):
        gains = {layer.name: trials.gain([f"{layer.name}.weight"]) for layer in layers}
        depths = [trials.gain(_biases(layers, depth)) for depth in range(1, len(layers) + 1)]
    weights = {
        name: {ratio: gain * _share(importance, name, ratio) for ratio in ratios}
        for name, gain in gains.items()
    }
    told = {
        "by": "gain",
        "meaning": f"points of accuracy on held-out images after {num_steps} steps with {BATCH_SIZE} images",
    }
    return Contributions(weights, (0.0, *depths), told)


def _share(importance: Importance, name: str, ratio: float) -> float:
    whole = importance.of_weights(name, 1.0)
    return importance.of_weights(name, ratio) / whole if whole > 0 else ratio


def _biases(layers: Sequence[TracedLayer], depth: int) -> list[str]:
    last = layers[len(layers) - depth :]
    return [f"{layer.norm or layer.name}.bias" for layer in last if layer.bias_parameters]


class _Trials:
    """Trains parts of the start, each from the start again."""

    def __init__(
        self, workload: Workload, num_steps: int, num_trials: int, on_progress: Progress | None
    ) -> None:
        self._workload = workload
        self._num_steps = num_steps
        self._num_trials = num_trials
        self._on_progress = on_progress
        self._done = 0
        self._before = workload.evaluate(workload.start()).accuracy

    def gain(self, names: Sequence[str]) -> float:
        """Points of accuracy that training these parameters alone brings, at least 0."""
        module = self._workload.start().requires_grad_(False)
        trained = [module.get_parameter(name) for name in names]
        if trained:
            self._train(module, trained)
        after = self._workload.evaluate(module).accuracy
        self._done += 1
        if self._on_progress is not None:
            self._on_progress(self._done, self._num_trials)
        return max(0.0, 100.0 * (after - self._before))

    def _train(self, module: nn.Module, trained: list[nn.Parameter]) -> None:
        for leaf in trained:
            leaf.requires_grad_(True)
        settings = self._workload.settings
        optimizer = torch.optim.SGD(trained, lr=settings.learning_rate, momentum=settings.momentum)
        for step in range(self._num_steps):
            optimizer.zero_grad()
            loss_of(module, self._workload.any_batch(step, BATCH_SIZE)).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
