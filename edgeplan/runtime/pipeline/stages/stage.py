"""A stage whose messages are paced and counted: PyTorch's pipelining with messages of our own.

PyTorch's schedules ask a stage for the transfers before and after each pass, and wait for them. Here the
stage makes them itself when asked, and has none left for the schedule. What comes in was expected before
the slot began, and what goes out is on its way at once, so that no stage waits for its neighbour to be ready:
the equations know no such wait. Nor do stages ask each other whether shapes are known, as PyTorch's do first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.pipelining import PipelineStage

from edgeplan.runtime.pipeline.stages.events import ACTIVATION, BACKWARD, FORWARD, GRADIENT, RECEIVED, SENT
from edgeplan.runtime.pipeline.stages.paces import Paces

Note = Callable[..., None]
"""Keeps an event: its kind, and members."""


class Neighbour:
    """A stage beside this one: takes a message a micro-batch, or gives one, or both.

    Parameters
    ----------
    send
        Begins to send a vector.
    coming
        Vectors in the order in which they arrive, expected already.
    finish
        Waits until everything has been handed over.
    """

    def __init__(
        self, send: Callable[[Tensor], None], coming: Iterator[Tensor], finish: Callable[[], None]
    ) -> None:
        self._send, self._coming, self.finish = send, coming, finish

    def give(self, values: Tensor) -> int:
        """Begin to send values, and return their bytes."""
        self._send(values.detach().reshape(-1))
        return values.nbytes

    def take(self, into: Tensor) -> int:
        """Wait for values, and return their bytes."""
        values = next(self._coming)
        with torch.no_grad():
            into.copy_(values.view_as(into))
        return values.nbytes


class LinkedStage(PipelineStage):
    """A stage of a cluster's pipeline.

    Parameters
    ----------
    module
        Its part of the network.
    ranks
        Of all stages, in order; this process's is among them.
    group
        Process group of these ranks.
    examples
        A micro-batch of its input, and of its output; what requires a gradient there, gets one.
    before, after
        The stages beside it; None at the ends.
    paces
        How fast it computes.
    note, now_s
        Keeps what it sees, and tells the time.
    """

    def __init__(
        self,
        module: nn.Module,
        ranks: Sequence[int],
        group: Any,
        examples: tuple[Tensor, Tensor],
        *,
        before: Neighbour | None,
        after: Neighbour | None,
        paces: Paces,
        note: Note,
        now_s: Callable[[], float],
    ) -> None:
        super().__init__(
            module,
            ranks.index(dist.get_rank()),
            len(ranks),
            torch.device("cpu"),
            input_args=examples[0],
            output_args=examples[1],
            group=group,
        )
        in_group = sorted(ranks)
        self.stage_index_to_group_rank = {index: in_group.index(rank) for index, rank in enumerate(ranks)}
        self._before, self._after, self._paces = before, after, paces
        self._note, self._now_s = note, now_s

    def _warmup_forward_vote(self, has_backward: bool, received_acc: Tensor | None = None) -> Tensor:
        """Ask nobody: all stages know what goes in and out, and a lost neighbour would never answer."""
        del has_backward, received_acc
        return torch.ones(1, dtype=torch.int32)

    def _warmup_backward_result(self, received_result: Tensor | None = None) -> Tensor:
        """Tell what all stages would have."""
        del received_result
        return torch.ones(1, dtype=torch.int32)

    def get_fwd_recv_ops(self, fwd_chunk_id: int) -> list[dist.P2POp]:
        """Wait for the activation of a micro-batch."""
        return self._take(super().get_fwd_recv_ops(fwd_chunk_id), self._before, ACTIVATION, fwd_chunk_id)

    def get_fwd_send_ops(self, fwd_chunk_id: int) -> list[dist.P2POp]:
        """Begin to send the activation of a micro-batch."""
        return self._give(super().get_fwd_send_ops(fwd_chunk_id), self._after, ACTIVATION, fwd_chunk_id)

    def get_bwd_recv_ops(self, bwd_chunk_id: int) -> list[dist.P2POp]:
        """Wait for the gradient of a micro-batch."""
        return self._take(super().get_bwd_recv_ops(bwd_chunk_id), self._after, GRADIENT, bwd_chunk_id)

    def get_bwd_send_ops(self, bwd_chunk_id: int) -> list[dist.P2POp]:
        """Begin to send the gradient of a micro-batch."""
        return self._give(super().get_bwd_send_ops(bwd_chunk_id), self._before, GRADIENT, bwd_chunk_id)

    def forward_one_chunk(self, fwd_chunk_id: int, *args: Any, **kwargs: Any) -> Any:
        """Compute the forward pass of a micro-batch, after the overhead."""
        with self._noted(FORWARD, fwd_chunk_id):
            time.sleep(self._paces.overhead_s)
            return super().forward_one_chunk(fwd_chunk_id, *args, **kwargs)

    def forward_maybe_with_nosync(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the module at the device's pace; what PyTorch does around it is this machine's overhead."""
        with self._paces.forward.kept():
            return super().forward_maybe_with_nosync(*args, **kwargs)  # type: ignore[no-untyped-call]

    def backward_one_chunk(self, bwd_chunk_id: int, *args: Any, **kwargs: Any) -> None:
        """Compute the backward pass of a micro-batch."""
        with self._noted(BACKWARD, bwd_chunk_id):
            super().backward_one_chunk(bwd_chunk_id, *args, **kwargs)

    def backward_maybe_with_nosync(self, *args: Any, **kwargs: Any) -> Any:
        """Compute gradients at the device's pace."""
        with self._paces.backward.kept():
            return super().backward_maybe_with_nosync(*args, **kwargs)

    @contextmanager
    def _noted(self, kind: str, micro_batch: int) -> Iterator[None]:
        begin_s = self._now_s()
        yield
        self._note(kind, micro_batch=micro_batch, begin_s=begin_s, end_s=self._now_s())

    def _take(
        self, ops: Sequence[dist.P2POp], neighbour: Neighbour | None, what: str, micro_batch: int
    ) -> list[dist.P2POp]:
        for op in ops:
            assert neighbour is not None
            num_bytes = neighbour.take(op.tensor)
            self._tell(RECEIVED, what, micro_batch, num_bytes)
        return []

    def _give(
        self, ops: Sequence[dist.P2POp], neighbour: Neighbour | None, what: str, micro_batch: int
    ) -> list[dist.P2POp]:
        for op in ops:
            assert neighbour is not None
            num_bytes = neighbour.give(op.tensor)
            self._tell(SENT, what, micro_batch, num_bytes)
        return []

    def _tell(self, kind: str, what: str, micro_batch: int, num_bytes: int) -> None:
        self._note(kind, what=what, micro_batch=micro_batch, bytes=num_bytes, moment_s=self._now_s())
