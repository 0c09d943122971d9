"""A device's copy of the network under DistributedDataParallel.

The network is as PyTorch has it, in evaluation mode, so that batch norms normalise by their running
statistics as in a run of a plan. Trained is what dense data parallelism trains there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn.parallel import DistributedDataParallel

from benchmarks.rivals.sparse_update.data_parallel.carrier import keep
from edgeplan.models.sparse_update.plan import DevicePlan
from edgeplan.runtime.learning.memory import LiveTensors
from edgeplan.runtime.learning.workload import fingerprint
from edgeplan.runtime.sparse.execution.device.material import Material
from edgeplan.runtime.sparse.execution.device.memory import eager
from edgeplan.runtime.sparse.workload import Batch
from edgeplan.runtime.sparse.workload.scoring import loss_of

MEASURED_STEPS = 3
"""DDP makes its buckets anew in the second step, and a momentum exists from there on."""


class DataParallelReplica:
    """The common start under DDP, whose gradients are views of its buckets, so that they exist once.

    Parameters
    ----------
    material
        The start, and how it is trained.
    trained
        Layers that are trained; ratios do not matter, weights are whole.
    bucket_cap_mb
        Size of DDP's buckets; None is its default.
    state, hook
        A communication hook, and what it is given.
    """

    def __init__(
        self,
        material: Material,
        trained: DevicePlan,
        bucket_cap_mb: float | None,
        state: Any,
        hook: Callable[..., Any],
    ) -> None:
        self.module = eager(material, trained)
        self._parallel = DistributedDataParallel(
            self.module,
            bucket_cap_mb=bucket_cap_mb,  # type: ignore[arg-type] - a float, as DDP's own default
            broadcast_buffers=False,
            gradient_as_bucket_view=True,
        )
        self._parallel.register_comm_hook(state, hook)
        settings = material.workload.settings
        leaves = [parameter for parameter in self.module.parameters() if parameter.requires_grad]
        self._optimizer = torch.optim.SGD(leaves, lr=settings.learning_rate, momentum=settings.momentum)

    def rehearse(self, batch: Batch) -> None:
        """Let gradients be averaged, and forget them: DDP makes its buckets anew after the first time."""
        loss_of(self._parallel, batch).backward()  # type: ignore[no-untyped-call]
        self._optimizer.zero_grad(set_to_none=True)

    def train(self, batch: Batch) -> float:
        """Take a step of SGD, and return the loss before it."""
        loss = loss_of(self._parallel, batch)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        return loss.item()

    def fingerprint(self) -> str:
        """Hash of all parameters and buffers, so that equal means bit-identical."""
        return fingerprint(list(self.module.state_dict().values()))


def peak_bytes(material: Material, trained: DevicePlan, bucket_cap_mb: float | None, batch: Batch) -> int:
    """Most that lives at once in a step, DDP's buckets included, buffers of the exchange left out.

    All devices call this together, for DDP compares them when it begins.
    """
    with LiveTensors(batch) as live:
        replica = DataParallelReplica(material, trained, bucket_cap_mb, None, keep)
        for _ in range(MEASURED_STEPS):
            replica.train(batch)
    return int(live.peak_bytes)
