"""What the processes saw, brought together at the end: files of theirs may be on other machines."""

from __future__ import annotations

from collections.abc import Sequence

import torch.distributed as dist

from edgeplan.runtime.processes.records import Event


def gathered(events: Sequence[Event], rank: int) -> list[Event] | None:
    """Give rank 0 the events of all processes, by rank; None to the others."""
    told: list[list[Event]] | None = [[]] * dist.get_world_size() if rank == 0 else None
    dist.gather_object(list(events), told)
    return None if told is None else [event for own in told for event in own]
