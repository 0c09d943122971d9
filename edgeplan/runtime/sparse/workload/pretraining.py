"""The first training, which makes the start."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from edgeplan.runtime.profiling.trial import threads_limited
from edgeplan.runtime.sparse.tracing import traced_layers
from edgeplan.runtime.sparse.workload.images import EVERYBODY, Pictures
from edgeplan.runtime.sparse.workload.network import make_network
from edgeplan.runtime.sparse.workload.scoring import loss_of
from edgeplan.runtime.sparse.workload.settings import WorkloadSettings
from edgeplan.runtime.sparse.workload.settling import average_statistics, divide_deviations_out

BATCH_SIZE = 32
LARGEST_RATE = 3e-3
WEIGHT_DECAY = 0.01
NORM_MOMENTUM = 0.1
"""PyTorch's; transformers takes 0.997 over from TensorFlow, where it means the opposite."""

Progress = Callable[[int, int], None]
"""Called with the steps done and their number."""


def pretrain(
    settings: WorkloadSettings, pictures: Pictures, on_progress: Progress | None = None
) -> nn.Module:
    """Train a network from nothing, the same one for the same settings; it ends in evaluation mode.

    On one thread, so that the sums do not depend on how many there are.
    """
    with torch.random.fork_rng(devices=[]), threads_limited(1):
        torch.manual_seed(settings.seed)
        module = make_network(settings)
        _train(module, settings, pictures, on_progress)
        average_statistics(module, _images(pictures))
        divide_deviations_out(module, traced_layers(module, next(_images(pictures))))
    return module


def _train(
    module: nn.Module, settings: WorkloadSettings, pictures: Pictures, on_progress: Progress | None
) -> None:
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.momentum = NORM_MOMENTUM
    steps = settings.pretraining_epochs * (len(pictures.images.labels) // BATCH_SIZE)
    optimizer = torch.optim.AdamW(module.parameters(), lr=LARGEST_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=LARGEST_RATE, total_steps=steps)
    module.train()
    for step in range(steps):
        optimizer.zero_grad()
        loss_of(module, pictures.drawn(settings.seed, EVERYBODY, step, BATCH_SIZE)).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if on_progress is not None:
            on_progress(step + 1, steps)


def _images(pictures: Pictures) -> Iterator[Tensor]:
    return (images for images, _ in pictures.batches(2 * BATCH_SIZE))
