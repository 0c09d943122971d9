"""One workload: its network, images and layers."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn

from edgeplan.errors import UsageError
from edgeplan.runtime.learning.training import Batch, Score
from edgeplan.runtime.profiling.trial import threads_limited
from edgeplan.runtime.sparse.layers import TracedLayer
from edgeplan.runtime.sparse.tracing import traced_layers
from edgeplan.runtime.sparse.workload.images import (
    EVERYBODY,
    NUM_CHANNELS,
    Pictures,
    Purposes,
    read_purposes,
    split,
)
from edgeplan.runtime.sparse.workload.importance import Importance, importance_of
from edgeplan.runtime.sparse.workload.network import blank_network
from edgeplan.runtime.sparse.workload.pretraining import Progress, pretrain
from edgeplan.runtime.sparse.workload.scoring import score
from edgeplan.runtime.sparse.workload.settings import WorkloadSettings
from edgeplan.runtime.sparse.workload.start import Start, default_folder, make_folder, read_start, write_start

PROBE_BATCH = 32
EVALUATION_BATCH = 180


class Workload:
    """What devices train together.

    Parameters
    ----------
    settings
        Everything follows from them.
    folder
        Where starts are kept; None is that of ``$EDGEPLAN_CACHE``, or the user's for caches.
    """

    def __init__(self, settings: WorkloadSettings, folder: Path | None = None) -> None:
        self.settings = settings
        self.folder = folder

    @property
    def path(self) -> Path:
        """File of the start."""
        folder = default_folder() if self.folder is None else self.folder
        return folder / f"sparse-start-{self.settings.start_key}.pt"

    def prepare(self, on_progress: Progress | None = None) -> None:
        """Make the start if there is none yet, which takes about 20 s with the default settings.

        Parameters
        ----------
        on_progress
            Called with the steps done and their number.

        Raises
        ------
        UsageError
            When the start cannot be kept.
        """
        if not self.path.exists():
            make_folder(self.path)
            module = pretrain(self.settings, self._purposes.start, on_progress)
            with threads_limited(1):
                probed = importance_of(
                    module, self._trace(module, 1), self._purposes.task.batches(PROBE_BATCH)
                )
            write_start(Start(module.state_dict(), probed), self.path)

    def start(self) -> nn.Module:
        """Return a network of its own with the weights of the start, in evaluation mode.

        Raises
        ------
        UsageError
            When the start can neither be read nor made.
        """
        module = blank_network(self.settings)
        module.load_state_dict(self._start.state)
        return module

    def fingerprint(self) -> str:
        """Hash of the start: where two machines made different ones, it differs."""
        return self._start.fingerprint()

    def importance(self) -> Importance:
        """Importance of channels and biases in the start, over all training images of the task."""
        return self._start.importance

    def orders(self) -> dict[str, Tensor]:
        """Input channels of each layer, most important first by the squared gradient of their weights."""
        return self.importance().orders()

    def layers(self, batch_size: int) -> list[TracedLayer]:
        """Return the trainable layers, with what a batch of this size brings to them."""
        return self._trace(blank_network(self.settings), batch_size)

    def batch(self, device: int, step: int, batch_size: int) -> Batch:
        """Return images and labels of a step on a device, B x 3 x size x size and B.

        Raises
        ------
        UsageError
            When there are fewer images than devices.
        """
        if not 0 <= device < self.settings.num_devices:
            raise UsageError(f"device {device}: must be one of {self.settings.num_devices}, from 0")
        return self._shares[device].drawn(self.settings.seed, device, step, batch_size)

    def data_bytes(self, device: int) -> int:
        """Return the bytes of all images and labels of a device, as they are in its memory."""
        return self._shares[device].num_bytes

    def any_batch(self, step: int, batch_size: int) -> Batch:
        """Return images and labels of a step on the images of all devices."""
        return self._purposes.task.drawn(self.settings.seed, EVERYBODY, step, batch_size)

    def example(self, batch_size: int) -> Tensor:
        """Return images that are all black, for their shape."""
        return torch.zeros(batch_size, NUM_CHANNELS, self.settings.image_size, self.settings.image_size)

    def evaluate(self, module: nn.Module) -> Score:
        """Score a network on the held-out images."""
        return score(module, self._purposes.held_out.batches(EVALUATION_BATCH))

    def _trace(self, module: nn.Module, batch_size: int) -> list[TracedLayer]:
        return traced_layers(module, self.example(batch_size))

    @cached_property
    def _start(self) -> Start:
        self.prepare()
        return read_start(self.path)

    @cached_property
    def _purposes(self) -> Purposes:
        return read_purposes(self.settings.image_size, self.settings.seed)

    @cached_property
    def _shares(self) -> list[Pictures]:
        return split(self._purposes.task, self.settings.num_devices, self.settings.alpha, self.settings.seed)
