"""Peak of live tensors while a node trains, measured beside equations (4) and (12).

Counted are the storages of parameters, buffers, gradients, optimizer state, the batch and everything that
operators put out, each once and as long as something refers to it: what (4) counts, and the batch, which
(4) has as the saved input of a trained first layer or within ``2 max O``; (12) has it apart. Not counted are
the node's other samples, workspaces inside an operator, and the interpreter.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from edgeplan.runtime.learning.objective import Objective, cross_entropy
from edgeplan.runtime.learning.training import Batch, Stepping, train
from edgeplan.runtime.learning.workload import Workload, optimizer_for
from edgeplan.runtime.profiling.repeated import repeated_saved_bytes

MEASURED_STEPS = 2  # the optimizer's state exists from the second step on


class LiveTensors(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of live storages.

    Parameters
    ----------
    existing
        Tensors that are alive before the first operator.
    """

    def __init__(self, existing: Iterable[Tensor] = ()) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live_bytes = 0
        self.peak_bytes: int = 0
        self._known: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
        for tensor in existing:
            self._add(tensor)

    def _add(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage in self._known:
            return
        num_bytes = storage.nbytes()
        self._known[storage] = num_bytes
        self.live_bytes += num_bytes
        self.peak_bytes = max(self.peak_bytes, self.live_bytes)
        weakref.finalize(storage, self._remove, num_bytes)

    def _remove(self, num_bytes: int) -> None:
        self.live_bytes -= num_bytes

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._add(leaf)
        return result


def peak_of_training(
    workload: Workload,
    layers: Sequence[str],
    batches: Sequence[Batch],
    *,
    optimizer_bytes: float,
    learning_rate: float | None,
    objective_of: Callable[[nn.Module], Objective] = lambda _: cross_entropy,
    stepping: Stepping = train,
) -> int:
    """Train a copy of the network for the first steps of a visit and return the peak in bytes.

    A copy, so that the count neither slows the timed visits down nor changes what they train; the steps
    are real ones, and warm the process up.
    """
    trial = workload.copy()
    optimizer = optimizer_for(trial.train_only(layers), optimizer_bytes, learning_rate)
    steps = batches[:MEASURED_STEPS]
    existing = [*trial.module.parameters(), *trial.module.buffers()]
    with LiveTensors([*existing, *steps[0]]) as live:
        objective = objective_of(trial.module)
        for step in steps:
            stepping(trial.module, optimizer, [step], objective)
    return int(live.peak_bytes)


def repeated_in_training(workload: Workload, layers: Sequence[str], inputs: Tensor) -> list[int]:
    """Bytes that each layer saves of a batch and an earlier one saves too, when `layers` are trained."""
    trial = workload.copy()
    trial.train_only(layers)
    return repeated_saved_bytes(trial.module, list(trial.layers), inputs)
