"""The check that a visit changes what it may train, and not one bit of anything else."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from edgeplan.runtime.learning.workload import fingerprint, num_elements
from edgeplan.runtime.processes.records import Event

FLOAT32_BYTES = 4


class ParameterWatch:
    """Fingerprints of a node's parameters before its visit.

    Parameters
    ----------
    frozen
        Parameters that the node may not train.
    trained
        The others.

    Examples
    --------
    >>> frozen, trained = [torch.zeros(2)], [torch.zeros(3)]
    >>> watch = ParameterWatch(frozen, trained)
    >>> _ = trained[0].add_(1.0)
    >>> watch.verdict()
    {'frozen_unchanged': True, 'frozen_bytes_checked': 8, 'trained_changed': True}
    """

    def __init__(self, frozen: Sequence[torch.Tensor], trained: Sequence[torch.Tensor]) -> None:
        self._frozen, self._trained = frozen, trained
        self._before = fingerprint(frozen), fingerprint(trained)

    def verdict(self) -> Event:
        """Compare with the parameters of now; `trained_changed` is None where there are none to train."""
        frozen_before, trained_before = self._before
        return {
            "frozen_unchanged": fingerprint(self._frozen) == frozen_before,
            "frozen_bytes_checked": FLOAT32_BYTES * num_elements(self._frozen),
            "trained_changed": fingerprint(self._trained) != trained_before if self._trained else None,
        }
