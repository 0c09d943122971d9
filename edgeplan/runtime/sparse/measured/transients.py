"""Memory that a step takes for a while, beside what an update keeps.

A dispatch mode notes which operator made each storage, and after which it was gone. What is kept is known at
the end only, as a gradient looks like any other result before it is one; so the peak of the rest is reckoned
then. It counts as long as something refers to a storage, on tensors without memory as on real ones.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import accumulate, chain
from typing import Any

from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from edgeplan.runtime.profiling.dataflow import key


class StorageLives(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes when storages come and go.

    Parameters
    ----------
    existing
        Tensors that are there before and after; they are left out.

    Examples
    --------
    >>> import torch
    >>> x = torch.zeros(10)
    >>> with StorageLives([x]) as lives:
    ...     y = (x + 1) * 2
    >>> lives.peak_bytes(), lives.peak_bytes(without={key(y)})
    (80, 40)
    """

    def __init__(self, existing: Iterable[Tensor] = ()) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._existing = {key(tensor) for tensor in existing}
        self._num_bytes: dict[StorageWeakRef, int] = {}
        self._made: dict[StorageWeakRef, int] = {}
        self._gone: dict[StorageWeakRef, int] = {}
        self._living: set[StorageWeakRef] = set()
        self._now = 0

    def __torch_dispatch__(self, operator: Any, types: Any, arguments: Any = (), keywords: Any = None) -> Any:
        """Run the operator, and note what it made and what was gone before."""
        gone = {storage for storage in self._living if storage.expired()}  # type: ignore[no-untyped-call]
        self._living -= gone
        self._gone.update(dict.fromkeys(gone, self._now))
        result = operator(*arguments, **(keywords or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._note(leaf)
        self._now += 1
        return result

    def _note(self, tensor: Tensor) -> None:
        storage = key(tensor)
        if storage not in self._made and storage not in self._existing:
            self._made[storage] = self._now
            self._num_bytes[storage] = tensor.untyped_storage().nbytes()
            self._living.add(storage)

    def peak_bytes(
        self,
        without: Collection[StorageWeakRef] = (),
        in_turn: Iterable[tuple[StorageWeakRef, StorageWeakRef]] = (),
    ) -> int:
        """Most bytes that lived at once.

        Parameters
        ----------
        without
            Storages that do not count.
        in_turn
            Pairs of storages of which only the smaller counts, and only while both live: room for the
            larger is found elsewhere, and serves one after the other.
        """
        pairs = list(in_turn)
        change = [0] * (self._now + 1)
        for storage in self._made.keys() - set(without) - set(chain.from_iterable(pairs)):
            change[self._made[storage]] += self._num_bytes[storage]
            change[self._end(storage)] -= self._num_bytes[storage]
        for pair in pairs:
            begin, end = max(self._made[one] for one in pair), min(self._end(one) for one in pair)
            if begin < end:
                change[begin] += min(self._num_bytes[one] for one in pair)
                change[end] -= min(self._num_bytes[one] for one in pair)
        return max(accumulate(change))

    def _end(self, storage: StorageWeakRef) -> int:
        return self._gone.get(storage, self._now)
