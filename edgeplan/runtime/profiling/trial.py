"""A copy of a network to run trials on: the original keeps its hooks, gradients and statistics.

The copy of a large network is made of fake tensors, which have a shape and a storage of the right size but no
memory. The copy of a small one shares the weights and has its own buffers.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from edgeplan.errors import UsageError
from edgeplan.runtime.profiling.named import without_mask

FAKE_FROM_PARAMETERS = 50_000_000
"""Networks of this size and up run on fake tensors, and those without memory of their own (meta device)."""


class Trial:
    """One copy in training mode, and the context in which its tensors are made.

    Parameters
    ----------
    original
        Left as it is.
    dtype
        Floating-point type of the copy's parameters and buffers.
    fake
        Whether the copy has no memory.
    """

    def __init__(self, original: nn.Module, dtype: torch.dtype, *, fake: bool) -> None:
        self._mode = FakeTensorMode(allow_non_fake_inputs=True) if fake else None
        with self.context():
            self.module = _copy(original, _fake if fake else _own, dtype)
        self.module.train()
        if fake:
            without_mask(self.module)

    def context(self) -> AbstractContextManager[object]:
        """Enter to make tensors for the copy and to run it."""
        return nullcontext() if self._mode is None else self._mode

    def freeze(self, *, frozen: bool) -> None:
        """Freeze or train every parameter that can have a gradient."""
        for parameter in self.module.parameters():
            parameter.requires_grad_(parameter.is_floating_point() and not frozen)


def runs_on_fakes(module: nn.Module) -> bool:
    """Say whether the network is too large to run trials on real tensors."""
    parameters = list(module.parameters())
    on_meta = any(parameter.is_meta for parameter in parameters)
    return on_meta or sum(parameter.numel() for parameter in parameters) >= FAKE_FROM_PARAMETERS


@contextmanager
def threads_limited(threads: int) -> Iterator[None]:
    """Let PyTorch compute with so many threads inside the context."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _copy(original: nn.Module, make: Callable[[torch.Tensor], torch.Tensor], dtype: torch.dtype) -> nn.Module:
    """Copy deeply, with parameters and buffers put in the copier's memory first: tied tensors stay tied."""
    memory: dict[int, object] = {}
    for parameter in original.parameters():
        memory[id(parameter)] = nn.Parameter(_cast(make(parameter), dtype), requires_grad=False)
    for buffer in original.buffers():
        memory[id(buffer)] = _cast(make(buffer), dtype)
    try:
        return copy.deepcopy(original, memory)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{type(original).__name__} cannot be copied for a trial run (copy.deepcopy): {error}"
        ) from error


def _cast(tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return tensor.to(dtype) if tensor.is_floating_point() else tensor


def _fake(tensor: torch.Tensor) -> torch.Tensor:
    return torch.empty(tensor.shape, dtype=tensor.dtype, device="cpu")


def _own(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach() if isinstance(tensor, nn.Parameter) else tensor.detach().clone()
