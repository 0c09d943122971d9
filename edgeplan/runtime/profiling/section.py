"""The model section of a network: one forward and backward pass for each of four settings, put together.

The settings are two batch sizes, once with every layer trained and once with every layer frozen. A figure
per sample is what one more sample adds (the larger batch minus the smaller), so what a batch has once does
not count: tables of rotary embeddings, position ids, a batch normalisation's mean and variance. The
statistics of a layer normalisation are per sample and count.

- `forward_flops`: the operators between the start of a layer and that of the next.
- `input_gradient_flops`: the backward pass with every layer frozen. The network's own float input counts as
  needing a gradient, so the first layer's figure is that of a layer in the middle; token ids have none.
- `weight_gradient_flops`: what the backward pass takes more when every layer is trained.
- `saved_bytes`, `saved_frozen_bytes`: storages that autograd saves while the layer runs, each once *in that
  layer*, parameters left out. A storage that two layers save (a ReLU's output, the next convolution's input)
  counts in both, since either may be the only trained one: the sum is an upper bound for the whole network.
- `output_bytes`: what later layers read of what the layer made, or the network's output.
- `inputs`: the layers whose activations it reads.

Everything runs in training mode, dropout and batch normalisation included, also in a frozen layer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from edgeplan.errors import UsageError
from edgeplan.runtime.profiling.cutting import RESERVED, LayerSlice, cut
from edgeplan.runtime.profiling.inputs import InputOptions, InputSpec, Shape, read_float
from edgeplan.runtime.profiling.passes import PassFigures, execution_order, run_pass
from edgeplan.runtime.profiling.subject import find_subject
from edgeplan.runtime.profiling.trial import Trial, runs_on_fakes, threads_limited

Progress = Callable[[int, int], None]
"""Called with the passes done and their number."""

NUM_PASSES = 5


def profile(
    network: str | nn.Module,
    *,
    input_shapes: Sequence[Shape] | None = None,
    input_dtypes: Sequence[str] | None = None,
    sequence_length: int | None = None,
    batch_size: int = 2,
    dtype: str = "float32",
    on_progress: Progress | None = None,
) -> dict[str, Any]:
    """Compute the model section of a network, layer by layer.

    Parameters
    ----------
    network
        A key of ``NAMED_NETWORKS``, ``package.module:factory`` with a callable that takes no arguments, or a
        module, which is left unchanged. A known network or a large one runs on fake tensors, without memory.
    input_shapes
        Shape of each positional input per sample, such as ``["3,32,32"]``; a known network has its own.
    input_dtypes
        Type of each input, such as ``int64`` for token ids; default `dtype`.
    sequence_length
        Tokens per sample of a known language model; default 128 for BERT and 512 for the others.
    batch_size
        The smaller of the two batch sizes; batch normalisation over single values needs at least 2.
    dtype
        Type of parameters and activations.
    on_progress
        Called with the passes done and their number.

    Returns
    -------
    dict
        ``{"name", "layers"}`` of the model section, all figures non-negative integers.

    Raises
    ------
    UsageError
        When there is no such network, it has no parameters, or it does not run on such inputs.

    Examples
    --------
    >>> section = profile(nn.Sequential(nn.Linear(4, 8), nn.ReLU()), input_shapes=[(4,)])
    >>> section["layers"][0]["forward_flops"], section["layers"][0]["saved_bytes"]
    (64, 48)
    """
    if batch_size < 1:
        raise UsageError(f"batch size {batch_size}: must be at least 1")
    element = read_float(dtype)
    subject = find_subject(network, InputOptions(input_shapes, input_dtypes, sequence_length, dtype))
    report = on_progress or _silent
    module = subject.describe()
    layers = cut(module)
    # On a busy machine two threads that wait for each other are slower than one.
    with subject.running(), torch.random.fork_rng(devices=[]), threads_limited(1):
        trial = Trial(module, element, fake=runs_on_fakes(module))
        layers = cut(module, execution_order(trial, layers, subject.inputs))
        report(1, NUM_PASSES)
        figures = _Figures(*_passes(trial, layers, subject.inputs, batch_size, report))
    return {"name": subject.name, "layers": list(_entries(layers, figures))}


def _passes(
    trial: Trial,
    layers: Sequence[LayerSlice],
    inputs: Sequence[InputSpec],
    batch_size: int,
    report: Progress,
) -> Iterator[PassFigures]:
    settings = [(size, frozen) for size in (batch_size, batch_size + 1) for frozen in (False, True)]
    for done, (size, frozen) in enumerate(settings, start=2):
        yield run_pass(trial, layers, inputs, size, frozen=frozen)
        report(done, NUM_PASSES)


def _silent(_done: int, _total: int) -> None:
    return


@dataclass(frozen=True)
class _Figures:
    """The four passes, in the order of `_passes`."""

    trained: PassFigures
    frozen: PassFigures
    trained_larger: PassFigures
    frozen_larger: PassFigures

    def when_trained(self, figure: Callable[[PassFigures], Counter[str]], layer: str) -> int:
        """What one more sample adds when every layer is trained."""
        return max(0, figure(self.trained_larger)[layer] - figure(self.trained)[layer])

    def when_frozen(self, figure: Callable[[PassFigures], Counter[str]], layer: str) -> int:
        """What one more sample adds when every layer is frozen."""
        return max(0, figure(self.frozen_larger)[layer] - figure(self.frozen)[layer])


def _entries(layers: Sequence[LayerSlice], figures: _Figures) -> Iterator[dict[str, Any]]:
    for position, layer in enumerate(layers):
        backward_flops = figures.when_trained(lambda run: run.backward_flops, layer.name)
        input_gradient_flops = figures.when_frozen(lambda run: run.backward_flops, layer.name)
        yield {
            "name": layer.name,
            "parameters": layer.num_parameters,
            "forward_flops": figures.when_trained(lambda run: run.forward_flops, layer.name),
            "input_gradient_flops": input_gradient_flops,
            "weight_gradient_flops": max(0, backward_flops - input_gradient_flops),
            "output_bytes": figures.when_trained(lambda run: run.output_bytes, layer.name),
            "saved_bytes": figures.when_trained(lambda run: run.saved_bytes, layer.name),
            "saved_frozen_bytes": figures.when_frozen(lambda run: run.saved_bytes, layer.name),
            "inputs": _inputs(layer.name, layers[:position], figures),
        }


def _inputs(layer: str, before: Sequence[LayerSlice], figures: _Figures) -> list[str]:
    """Earlier layers read; a layer that reads none depends on the network's input, if only on its shape."""
    names = [RESERVED, *(earlier.name for earlier in before)]
    read = [name for name in names if figures.when_trained(lambda run: _read_by(layer, run), name)]
    return read or [RESERVED]


def _read_by(layer: str, run: PassFigures) -> Counter[str]:
    return run.read_bytes.get(layer, Counter())
