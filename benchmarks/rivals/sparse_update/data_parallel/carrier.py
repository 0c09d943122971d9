"""DDP's buckets on the instance's network: a communication hook.

One thread a process carries the buckets in the order in which they fill, as a network card would, while the
backward pass goes on. Before the first bucket of a step the devices wait for each other, as before the
collectives of a plan: how long a busy machine holds up one of them is not the network's time.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import torch
import torch.distributed as dist
from torch import Tensor
from torch.futures import Future

from edgeplan.runtime.sparse.execution.exchange.ways import ALL_REDUCE, Way


@dataclass
class Trip:
    """What the buckets of a step took."""

    begin_s: float = 0.0
    end_s: float = 0.0
    num_bytes: list[int] = field(default_factory=list)


class Carrier:
    """Averages buckets over all devices.

    Parameters
    ----------
    way
        Runs the collectives.
    members
        Ranks of the devices.
    """

    def __init__(self, way: Way, members: Sequence[int]) -> None:
        self._way = way
        self._members = tuple(members)
        self._thread = ThreadPoolExecutor(max_workers=1)
        self.trip = Trip()

    def accept(self, index: int, buffer: Tensor) -> Future[Tensor]:
        """Take a bucket on its way."""
        if index == 0:
            dist.barrier()
            self.trip = Trip(begin_s=time.monotonic())
        self.trip.num_bytes.append(buffer.nbytes)
        carried: Future[Tensor] = Future()
        self._thread.submit(self._carry, buffer, carried)
        return carried

    def _carry(self, buffer: Tensor, carried: Future[Tensor]) -> None:
        try:
            with torch.no_grad():
                self._way.expect(ALL_REDUCE, buffer.numel(), self._members)(buffer)
                buffer.div_(len(self._members))
            self.trip.end_s = time.monotonic()
            carried.set_result(buffer)
        except Exception as error:  # noqa: BLE001 - DDP, which waits for it, raises it
            carried.set_exception(error)


# DDP looks at the annotations themselves, so this module does not postpone them.
def carry(carrier: Carrier, bucket: dist.GradBucket) -> torch.futures.Future[torch.Tensor]:
    """Hook for ``DistributedDataParallel.register_comm_hook``."""
    return carrier.accept(bucket.index(), bucket.buffer())


def keep(_state: None, bucket: dist.GradBucket) -> torch.futures.Future[torch.Tensor]:
    """Hook that leaves every device its own gradients."""
    kept: Future[Tensor] = Future()
    kept.set_result(bucket.buffer())
    return kept
