"""One forward and backward pass of a network with every operator accounted to a layer."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch._ops import OpOverload
from torch.autograd.graph import saved_tensors_hooks
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from edgeplan.runtime.profiling.cutting import LayerSlice
from edgeplan.runtime.profiling.dataflow import Dataflow, Layer, key
from edgeplan.runtime.profiling.flops import flops
from edgeplan.runtime.profiling.gradients import backward, needing_gradient, start_gradients
from edgeplan.runtime.profiling.tracking import Tracker


@dataclass(frozen=True)
class PassFigures:
    """What one pass showed, by layer, for the whole batch."""

    order: tuple[str, ...]
    """Layers in the order of their first run."""
    forward_flops: Counter[str]
    backward_flops: Counter[str]
    saved_bytes: Counter[str]
    output_bytes: Counter[str]
    read_bytes: dict[str, Counter[str]]
    """Bytes that a layer reads, by the layer that made them or ``input``."""


def run_pass(
    module: nn.Module,
    layers: Sequence[LayerSlice],
    inputs: Sequence[torch.Tensor],
    call: Callable[[nn.Module, Sequence[torch.Tensor]], Any],
) -> PassFigures:
    """Run `module` once forward and once backward.

    Parameters
    ----------
    module
        A copy of the network with its parameters frozen or trained as wanted; it keeps this pass's hooks.
    layers
        How it is cut.
    inputs
        One batch; floats are made to need a gradient.
    call
        Runs the module on the inputs.
    """
    tracker = Tracker()
    tracker.watch(module, layers)
    start_gradients(module, layers)
    inputs = [needing_gradient(tensor) for tensor in inputs]
    account = _Account(tracker, module, inputs)
    saved = _SavedBytes(tracker, module)
    with account:
        with saved_tensors_hooks(saved.pack, _unpack):
            outputs = call(module, inputs)
        account.dataflow.finish(outputs)
        tracker.is_forward = False
        backward(outputs)
    return _figures(tracker, account, saved)


class _Account(TorchDispatchMode):
    """Counts the FLOPs of every operator for its layer, and follows the activations forward."""

    def __init__(self, tracker: Tracker, module: nn.Module, inputs: Sequence[torch.Tensor]) -> None:
        super().__init__()
        self.tracker = tracker
        self.dataflow = Dataflow(inputs, ignored=[*module.parameters(), *module.buffers()])
        self.forward_flops: Counter[Layer] = Counter()
        self.backward_flops: Counter[Layer] = Counter()

    def __torch_dispatch__(
        self, operator: OpOverload, types: Any, arguments: Any = (), keywords: Any = None
    ) -> Any:
        keywords = keywords or {}
        result = operator(*arguments, **keywords)
        count = flops(operator, arguments, keywords, result)
        if self.tracker.is_forward:
            self.forward_flops[self.tracker.current] += count
            self.dataflow.observe(self.tracker.current, operator, (arguments, keywords), result)
        elif count:
            node = torch._C._current_autograd_node()
            self.backward_flops[self.tracker.layer_of(node)] += count
        return result


class _SavedBytes:
    """Storages that autograd saves for each layer, each once, parameters left out."""

    def __init__(self, tracker: Tracker, module: nn.Module) -> None:
        self._tracker = tracker
        self._parameters = {key(parameter) for parameter in module.parameters()}
        self._saved: dict[Layer, dict[StorageWeakRef, int]] = defaultdict(dict)

    def pack(self, tensor: torch.Tensor) -> torch.Tensor:
        if key(tensor) not in self._parameters:
            self._saved[self._tracker.current][key(tensor)] = tensor.untyped_storage().nbytes()
        return tensor

    def total(self, layer: Layer) -> int:
        return sum(self._saved[layer].values())

    def storages(self, layer: Layer) -> dict[StorageWeakRef, int]:
        return self._saved[layer]


def _unpack(tensor: torch.Tensor) -> torch.Tensor:
    return tensor
