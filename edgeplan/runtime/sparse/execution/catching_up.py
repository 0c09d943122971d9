"""The start of a leg: the devices tell each other what they have kept, and agree where to go on.

An aggregation is done when all devices that are left have kept its outcome, and else not at all. What a
device has kept beyond that counts for nothing, for it may be of those that are gone.
"""

from __future__ import annotations

from edgeplan.runtime.learning.keeping import forget, newest_of_all, positions_kept
from edgeplan.runtime.processes.gathering import told_by_all
from edgeplan.runtime.processes.journal import Journal
from edgeplan.runtime.processes.records import journal_path
from edgeplan.runtime.sparse.execution.course import BEGINNING, Position, holds_until
from edgeplan.runtime.sparse.execution.device.process import DeviceProcess


def catch_up(device: DeviceProcess) -> Position:
    """Bring a device to where the run stands, and return the last round that is done."""
    folder, index = device.job.folder, device.index
    told = told_by_all(positions_kept(folder, index))
    newest = newest_of_all([[tuple(one) for one in positions] for positions in told], BEGINNING)
    position = Position(*newest)
    forget(folder, index, beyond=position)
    device.events = Journal(journal_path(folder, index), holds_until(position, len(device.job.legs) - 1))
    return position
