"""Accounts of one pass: every operator's FLOPs and every storage that autograd saves, by layer."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import torch
from torch import nn
from torch._ops import OpOverload
from torch.autograd.graph import saved_tensors_hooks
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from edgeplan.runtime.profiling.dataflow import Dataflow, key
from edgeplan.runtime.profiling.flops import flops
from edgeplan.runtime.profiling.tracking import Tracker


class OperatorAccount(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts each operator's FLOPs for its layer, and shows the forward ones to `dataflow`."""

    def __init__(self, tracker: Tracker, dataflow: Dataflow) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.tracker = tracker
        self.dataflow = dataflow
        self.forward_flops: Counter[str] = Counter()
        self.backward_flops: Counter[str] = Counter()

    def __torch_dispatch__(
        self, operator: OpOverload, types: Any, arguments: Any = (), keywords: Any = None
    ) -> Any:
        """Run the operator and account for it."""
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


class SavedAccount:
    """Counts the storages that autograd saves for each layer: each once, parameters left out."""

    def __init__(self, tracker: Tracker, module: nn.Module) -> None:
        self._tracker = tracker
        self._parameters = {key(parameter) for parameter in module.parameters()}
        self._saved: dict[str, dict[StorageWeakRef, int]] = defaultdict(dict)

    def hooks(self) -> saved_tensors_hooks:
        """Enter to count what is saved inside."""
        return saved_tensors_hooks(self._pack, lambda tensor: tensor)

    def bytes(self) -> Counter[str]:
        """Bytes saved, by layer."""
        return Counter({layer: sum(storages.values()) for layer, storages in self._saved.items()})

    def _pack(self, tensor: torch.Tensor) -> torch.Tensor:
        if key(tensor) not in self._parameters:
            self._saved[self._tracker.current][key(tensor)] = tensor.untyped_storage().nbytes()
        return tensor
