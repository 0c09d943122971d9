"""The start of a leg: the participants tell each other what they have kept, and agree where to go on.

Who has kept nothing takes part from this leg on, and begins with it.
"""

from __future__ import annotations

from edgeplan.runtime.learning.keeping import forget, newest_of_all, positions_kept, recall
from edgeplan.runtime.pipeline.course import holds_until
from edgeplan.runtime.pipeline.process import ParticipantProcess
from edgeplan.runtime.processes.gathering import told_by_all
from edgeplan.runtime.processes.journal import Journal
from edgeplan.runtime.processes.records import journal_path


def catch_up(process: ParticipantProcess) -> int:
    """Bring a process to where the run stands, and return the last slot that is done."""
    folder, seat = process.job.folder, process.seat
    told = told_by_all(positions_kept(folder, seat))
    (done,) = newest_of_all([[tuple(one) for one in kept] for kept in told], (process.job.leg.since,))
    forget(folder, seat, beyond=(done,))
    process.events = Journal(journal_path(folder, seat), holds_until(done))
    kept = positions_kept(folder, seat)
    if kept:  # a device that rested has kept what it had then
        process.restore(recall(kept[-1], folder, seat))
    return done
