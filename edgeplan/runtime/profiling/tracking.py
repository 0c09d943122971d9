"""Which layer is running: on the way forward by hooks, on the way back by the age of autograd's nodes.

Everything that runs until the next layer begins belongs to the layer that began last, so what stands between
the modules (flattening, residual additions) is not lost; what runs before the first layer belongs to the
first. Autograd numbers its nodes in the order of their making, so a node's number tells its layer.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn
from torch.autograd.graph import Node

from edgeplan.runtime.profiling.cutting import LayerSlice


class Tracker:
    """Keeps the current layer of one pass.

    Parameters
    ----------
    first
        Name of the layer that runs first.
    on_enter
        Called with the name of each layer that begins.
    """

    def __init__(self, first: str, on_enter: Callable[[str], None] | None = None) -> None:
        self.on_enter = on_enter
        self.is_forward = True
        self.order: list[str] = []
        """Layers in the order of their first run."""
        self.visits = [first]
        """Layers in the order of all runs."""
        self._first_nodes = [0]

    @property
    def current(self) -> str:
        """Name of the running layer."""
        return self.visits[-1]

    def visit_of(self, node: Node) -> int:
        """Index in `visits` of the run that made `node`."""
        return max(0, bisect_right(self._first_nodes, node._sequence_nr()) - 1)

    def layer_of(self, node: Node | None) -> str:
        """Name of the layer that made `node`."""
        return self.current if node is None else self.visits[self.visit_of(node)]

    @contextmanager
    def watching(self, module: nn.Module, layers: Sequence[LayerSlice]) -> Iterator[None]:
        """Follow the layers of `module` inside the context."""
        with ExitStack() as hooks:
            for layer in layers:
                watched = module.get_submodule(layer.path)
                hooks.enter_context(watched.register_forward_pre_hook(self._entering(layer.name)))
            yield

    def _entering(self, name: str) -> Callable[[nn.Module, Any], None]:
        def enter(_module: nn.Module, _inputs: Any) -> None:
            # Activation checkpoints call modules again on the way back.
            if self.is_forward:
                self._enter(name)

        return enter

    def _enter(self, name: str) -> None:
        if name not in self.order:
            self.order.append(name)
        self.visits.append(name)
        self._first_nodes.append(torch._C._autograd._get_sequence_nr())
        if self.on_enter is not None:
            self.on_enter(name)
