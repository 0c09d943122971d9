"""Which layer is running: set by hooks on the way forward, found by the age of autograd's nodes on the way back.

Everything that runs until the next layer begins belongs to the layer that began last, so what stands between
the modules (flattening, residual additions, masks) is not lost; what runs before the first layer belongs to the
first. Autograd numbers its nodes in the order of their making, so a node's number tells its layer.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.autograd.graph import Node

from edgeplan.runtime.profiling.cutting import LayerSlice


class Tracker:
    """Keeps the current layer of one pass.

    Parameters
    ----------
    on_enter
        Called with the name of each layer that begins.
    """

    def __init__(self, on_enter: Callable[[str], None] | None = None) -> None:
        self.on_enter = on_enter
        self.order: list[str] = []
        self.is_forward = True
        self._visits: list[str] = []
        self._first_nodes: list[int] = []

    def watch(self, module: nn.Module, layers: Sequence[LayerSlice]) -> None:
        """Follow the layers of `module`; the hooks stay, so give it a copy."""
        for layer in layers:
            module.get_submodule(layer.path).register_forward_pre_hook(self._entering(layer.name))

    @property
    def current(self) -> str | None:
        """Name of the running layer, None before the first."""
        return self._visits[-1] if self._visits else None

    def layer_of(self, node: Node | None) -> str | None:
        """Name of the layer that made `node`."""
        if node is None or not self._visits:
            return self.current
        return self._visits[self.visit_of(node)]

    def visit_of(self, node: Node) -> int:
        """Position of the stay in a layer, counted from 0, during which `node` was made."""
        return max(0, bisect_right(self._first_nodes, node._sequence_nr()) - 1)

    def visited(self, visit: int) -> str:
        """Name of the layer of one stay."""
        return self._visits[visit]

    def _entering(self, name: str) -> Callable[[nn.Module, Any], None]:
        def enter(_module: nn.Module, _inputs: Any) -> None:
            # Activation checkpoints call modules again on the way back.
            if self.is_forward:
                self._enter(name)

        return enter

    def _enter(self, name: str) -> None:
        if name not in self.order:
            self.order.append(name)
        self._visits.append(name)
        self._first_nodes.append(torch._C._autograd._get_sequence_nr())
        if self.on_enter is not None:
            self.on_enter(name)
