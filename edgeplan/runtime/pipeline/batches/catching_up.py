"""The start of a leg: whoever has kept the newest state of the network gives it to all.

After every batch the last stage has all layers, with their optimizers' state, to score them, and the first
stage is given them. Both keep them, so that no node's layers are lost with it.
"""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from edgeplan.runtime.learning.keeping import keep, positions_kept, recall
from edgeplan.runtime.pipeline.batches.process import NodeProcess
from edgeplan.runtime.pipeline.course import batch_holds_until
from edgeplan.runtime.processes.exchange import ALL, exchanging
from edgeplan.runtime.processes.gathering import told_by_all
from edgeplan.runtime.processes.journal import Journal
from edgeplan.runtime.processes.records import journal_path

State = Mapping[str, Tensor]


def catch_up(process: NodeProcess) -> int:
    """Bring a process to where the run stands, and return the last batch that is done."""
    folder, seat = process.job.folder, process.seat
    kept = max(positions_kept(folder, seat), default=(0,))[0]
    told: list[int] = told_by_all(kept)
    done = max(told)
    holds = batch_holds_until(done, len(process.job.legs) - 1)
    process.events = Journal(journal_path(folder, seat), holds)
    if done:
        source = told.index(done)
        state = _given_by(source, recall((done,), folder, seat) if process.rank == source else {})
        process.restore(state)
        if process.rank in (process.job.ranks[0], process.job.ranks[-1]) and kept < done:
            keep(state, (done,), folder, seat)
    return done


def _given_by(source: int, own: State) -> dict[str, Tensor]:
    """Return the state that one process gives to all."""
    values = packed(own)
    sizes = told_by_all(len(values))
    values = values if dist.get_rank() == source else torch.empty(sizes[source])
    with exchanging(ALL):
        dist.broadcast(values, src=source)
    return unpacked(values)


def packed(state: State) -> Tensor:
    """Return tensors by name as one vector of float32, bit for bit.

    Examples
    --------
    >>> unpacked(packed({"weight": torch.tensor([1.0, 2.0])}))
    {'weight': tensor([1., 2.])}
    """
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **{name: tensor.detach().numpy() for name, tensor in state.items()})
    file.write(bytes(-file.tell() % 4))
    return torch.frombuffer(bytearray(file.getvalue()), dtype=torch.float32)


def unpacked(values: Tensor) -> dict[str, Tensor]:
    """Return what `packed` was given."""
    with np.load(io.BytesIO(values.numpy().tobytes()), allow_pickle=False) as kept:
        return {name: torch.from_numpy(kept[name]) for name in kept.files}
