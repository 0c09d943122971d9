"""Moving parameters between processes: gloo send and receive, counted, and as slow as the instance says.

A small header goes ahead of the parameters in the same message: the round's clock and the moment of sending.
It stands for the control traffic that equation (6) leaves out, and is not counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from edgeplan.runtime.emulation.links import Shape
from edgeplan.runtime.learning.workload import assign, flatten, num_elements
from edgeplan.runtime.processes.exchange import exchanging
from edgeplan.runtime.snake.device.clock import RoundClock

_HEADER = 8  # four numbers of 8 bytes, in places of 4


@dataclass(frozen=True)
class Received:
    """A finished transfer, in seconds of its round."""

    clock: RoundClock
    start_s: float
    end_s: float
    num_bytes: int


def send(parameters: Sequence[Tensor], clock: RoundClock, target: int) -> int:
    """Send parameters to a rank and return the number of bytes sent."""
    header = torch.tensor([clock.origin_s, clock.paused_s, clock.slower, clock.now_s()], dtype=torch.float64)
    flat = flatten(parameters)
    with exchanging(target):
        dist.send(torch.cat([header.view(torch.float32), flat]), target)
    return flat.nbytes


def receive(parameters: Sequence[Tensor], source: int, shape: Shape | None) -> Received:
    """Receive parameters from a rank, in the order in which they were sent.

    Parameters
    ----------
    parameters
        What takes the values.
    source
        The sender.
    shape
        The link to be imitated; None takes what the machine gives.
    """
    message = torch.empty(_HEADER + num_elements(parameters))
    with exchanging(source):
        dist.recv(message, source)
    origin_s, paused_s, slower, start_s = message[:_HEADER].clone().view(torch.float64).tolist()
    clock, flat = RoundClock(origin_s, paused_s, slower), message[_HEADER:]
    assign(parameters, flat)
    if shape is not None:
        clock.wait_until(start_s + shape.transfer_s(flat.nbytes))
    return Received(clock, start_s, clock.now_s(), flat.nbytes)
