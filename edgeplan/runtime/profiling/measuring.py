"""Seconds per layer on this machine, from real passes of the whole network.

A clock is read whenever another layer begins: on the way forward by hooks on the modules, on the way back by
a hook on the youngest autograd node of each layer. Autograd runs the youngest of its ready nodes first, so on
a CPU the layers come back exactly in the opposite order. The network's input needs no gradient, as in
training, so the first layer's backward pass is without that one.

What a weight gradient takes is the difference between two passes, one right after the other: with every
layer trained, and with every layer frozen behind a trained one. There the network's float input counts as
needing a gradient, as in the model section.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any

import torch
from torch import nn
from torch.autograd.graph import Node

from edgeplan.errors import UsageError
from edgeplan.runtime.profiling.building import parameter_bytes, refuse_if_too_large
from edgeplan.runtime.profiling.cutting import LayerSlice, cut
from edgeplan.runtime.profiling.dataflow import tensors_in
from edgeplan.runtime.profiling.gradients import backward, gradients_started, needing_gradient
from edgeplan.runtime.profiling.inputs import InputOptions, Shape, read_float
from edgeplan.runtime.profiling.passes import execution_order
from edgeplan.runtime.profiling.subject import Subject, find_subject
from edgeplan.runtime.profiling.tracking import Tracker
from edgeplan.runtime.profiling.trial import Trial, threads_limited

NUM_WARM_UPS = 2

Seconds = Counter[str]
Timings = dict[str, dict[str, float]]


def measure(
    network: str | nn.Module,
    *,
    input_shapes: Sequence[Shape] | None = None,
    input_dtypes: Sequence[str] | None = None,
    sequence_length: int | None = None,
    batch_size: int | None = None,
    dtype: str = "float32",
    repeats: int = 5,
    threads: int = 1,
    split: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> Timings:
    """Measure the seconds of every layer on this machine, per sample.

    Parameters
    ----------
    network, input_shapes, input_dtypes, sequence_length, dtype
        As for `profile`.
    batch_size
        Samples in a pass; default 8, and 1 for OPT-1.3B and Llama-3-8B.
    repeats
        Passes of which the median counts, after two that do not.
    threads
        Threads of PyTorch.
    split
        Whether the two gradients are told apart, for `weighed`; that takes twice as many passes.
    on_progress
        Called with the passes done and their number.

    Returns
    -------
    dict
        ``{layer: {"forward_s", "backward_s"}}``, an entry of the network section's `timings`; with `split`
        ``{layer: {"forward_s", "input_gradient_s", "weight_gradient_s"}}``.

    Raises
    ------
    UsageError
        As for `profile`, and when parameters and gradients need more than the free memory.
    """
    _refuse_below_one(batch_size=1 if batch_size is None else batch_size, repeats=repeats, threads=threads)
    element = read_float(dtype)
    subject = find_subject(network, InputOptions(input_shapes, input_dtypes, sequence_length, dtype))
    batch_size = batch_size or subject.batch_size
    with subject.running(), torch.random.fork_rng(devices=[]), threads_limited(threads):
        trial = Trial(_real(subject), element, fake=False)
        layers = cut(trial.module)
        layers = cut(trial.module, execution_order(trial, layers, subject.inputs))
        batch = [spec.batch(batch_size) for spec in subject.inputs]
        passes = []
        for done in range(1, NUM_WARM_UPS + repeats + 1):
            passes.append(_timed_passes(trial, layers, batch, split=split))
            if on_progress is not None:
                on_progress(done, NUM_WARM_UPS + repeats)
    figures = _split_timings if split else _timings
    return figures(layers, passes[NUM_WARM_UPS:], batch_size)


def _refuse_below_one(**settings: int) -> None:
    for name, value in settings.items():
        if value < 1:
            raise UsageError(f"{name.replace('_', ' ')} {value}: must be at least 1")


def _real(subject: Subject) -> nn.Module:
    """Allocate the network, if its parameters and their gradients fit."""
    described = subject.describe()
    if not subject.is_named:
        refuse_if_too_large(subject.name, parameter_bytes(described))
        return described
    refuse_if_too_large(subject.name, 2 * parameter_bytes(described))
    return subject.allocate()


class _Stopwatch:
    """Seconds between readings, to the layer that was running."""

    def __init__(self, layer: str) -> None:
        self.seconds: Seconds = Counter()
        self._layer = layer
        self._since = perf_counter()

    def lap(self, layer: str) -> None:
        now = perf_counter()
        self.seconds[self._layer] += now - self._since  # type: ignore[assignment]
        self._layer, self._since = layer, now


@dataclass(frozen=True)
class _Passes:
    """Seconds of a batch by layer, forward and back, and back with every layer frozen."""

    forward: Seconds
    back: Seconds
    frozen_back: Seconds


def _timed_passes(
    trial: Trial, layers: Sequence[LayerSlice], batch: Sequence[torch.Tensor], *, split: bool
) -> _Passes:
    if not split:
        trial.freeze(frozen=False)
        return _Passes(*_timed_pass(trial.module, layers, batch), Counter())
    trained = _timed_behind_a_layer(trial, layers, batch, frozen=False)
    _, frozen_back = _timed_behind_a_layer(trial, layers, batch, frozen=True)
    return _Passes(*trained, frozen_back)


def _timed_behind_a_layer(
    trial: Trial, layers: Sequence[LayerSlice], batch: Sequence[torch.Tensor], *, frozen: bool
) -> tuple[Seconds, Seconds]:
    trial.freeze(frozen=frozen)
    with gradients_started(trial.module, layers):
        return _timed_pass(trial.module, layers, [needing_gradient(tensor) for tensor in batch])


def _timed_pass(
    module: nn.Module, layers: Sequence[LayerSlice], batch: Sequence[torch.Tensor]
) -> tuple[Seconds, Seconds]:
    module.zero_grad()
    forward = _Stopwatch(layers[0].name)
    tracker = Tracker(layers[0].name, on_enter=forward.lap)
    with tracker.watching(module, layers):
        outputs = module(*batch)
    forward.lap(tracker.current)
    back = _hooked(outputs, tracker)
    backward(outputs)
    back.lap(tracker.current)
    return forward.seconds, back.seconds


def _hooked(outputs: Any, tracker: Tracker) -> _Stopwatch:
    """Make a stopwatch that the autograd graph of `outputs` reads where a layer's backward pass begins."""
    tracker.is_forward = False
    youngest: dict[int, Node] = {}
    for node in sorted(_nodes(outputs), key=lambda node: node._sequence_nr()):
        youngest[tracker.visit_of(node)] = node
    stopwatch = _Stopwatch(tracker.current)
    for visit, node in youngest.items():
        node.register_prehook(_lap(stopwatch, tracker.visits[visit]))
    stopwatch.lap(tracker.current)
    stopwatch.seconds.clear()
    return stopwatch


def _lap(stopwatch: _Stopwatch, layer: str) -> Callable[[Any], None]:
    return lambda _gradients: stopwatch.lap(layer)


def _nodes(outputs: Any) -> set[Node]:
    """Nodes of the autograd graph but the ends at parameters, which have no age."""
    found: set[Node] = set()
    waiting = [tensor.grad_fn for tensor in tensors_in(outputs)]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in found and not hasattr(node, "variable"):
            found.add(node)
            waiting.extend(following for following, _ in node.next_functions)
    return found


def _timings(layers: Sequence[LayerSlice], passes: Sequence[_Passes], batch_size: int) -> Timings:
    return {
        layer.name: {
            "forward_s": median(run.forward[layer.name] for run in passes) / batch_size,
            "backward_s": median(run.back[layer.name] for run in passes) / batch_size,
        }
        for layer in layers
    }


def _split_timings(layers: Sequence[LayerSlice], passes: Sequence[_Passes], batch_size: int) -> Timings:
    return {
        layer.name: {
            "forward_s": median(run.forward[layer.name] for run in passes) / batch_size,
            "input_gradient_s": median(run.frozen_back[layer.name] for run in passes) / batch_size,
            "weight_gradient_s": max(
                0.0, median(run.back[layer.name] - run.frozen_back[layer.name] for run in passes) / batch_size
            ),
        }
        for layer in layers
    }
