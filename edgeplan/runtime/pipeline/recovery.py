"""A run carried through the loss of participants: planned anew from the last slot that all others have kept.

The slots that are done stay as they are. The planner is asked for those that follow, with the devices left
and the queues as they are. A cluster of which no plan is left, and one whose control unit is lost with its
text, takes no part any more; the others are averaged without it. The server has no substitute: it is started
again. A slot that was under way is made anew.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import replace
from typing import Any

from edgeplan.errors import InvalidInputError, RunError
from edgeplan.models.segment_scheduling import SegmentPlan, SegmentScheduling
from edgeplan.runtime.learning.keeping import forget, newest_of_all, positions_kept
from edgeplan.runtime.pipeline.course import Leg, holds_until
from edgeplan.runtime.pipeline.job import Job, SlotsLeg
from edgeplan.runtime.pipeline.participants import SERVER
from edgeplan.runtime.pipeline.process import AIRTIME
from edgeplan.runtime.pipeline.remainder import remainder, rest_of
from edgeplan.runtime.pipeline.report.incidents import incident_line
from edgeplan.runtime.pipeline.slowing import slowed
from edgeplan.runtime.processes.journal import Journal
from edgeplan.runtime.processes.records import failure_path, journal_path
from edgeplan.runtime.processes.rehearsal import faults_left
from edgeplan.runtime.processes.starting_again import Tell, carried_through
from edgeplan.runtime.processes.supervision import NodesLostError, Progress

Planner = Callable[[SegmentScheduling, SegmentPlan], SegmentPlan | None]
"""Finds a plan of an instance from an old plan; None where there is none."""


def carry_through(
    job: Job,
    planner: Planner | None,
    on_progress: Progress | None = None,
    on_incident: Tell | None = None,
) -> dict[str, Any]:
    """Run a prepared job to its report, through what befalls its participants.

    Parameters
    ----------
    job
        The run.
    planner
        Plans anew when a participant was lost; None: the run ends then.
    on_progress
        Called when a slot was scored.
    on_incident
        Called with what happened and how it goes on, in words.

    Raises
    ------
    RunError
        When a process failed by itself, or there is no plan for who is left.
    """

    def without(job: Job, error: NodesLostError) -> Job:
        assert planner is not None
        return slowed(without_lost(job, error, planner))

    def incident_of(job: Job) -> str:
        return incident_line(job, len(job.legs) - 1)

    goes_on = None if planner is None else without
    return carried_through(job, goes_on, incident_of, on_progress, on_incident)


def without_lost(job: Job, error: NodesLostError, planner: Planner) -> Job:
    """Return the job that goes on without what was lost, written to its file.

    Raises
    ------
    RunError
        When no plan is left, or only the server was lost, twice before another slot was done.
    """
    lost = error.named([one.name for one in job.cast])
    names = {one.node for one in lost}
    gone = names - {one.name for one in job.everybody if one.role == SERVER}
    seats = [seat for seat, one in enumerate(job.everybody) if one in job.cast and one.name not in gone]
    (done,) = newest_of_all((positions_kept(job.folder, seat) for seat in seats), (job.leg.since,))
    if not gone and done == job.leg.since and names == {one.node for one in job.leg.lost}:
        raise RunError(f"{error}\nit was lost twice before another slot was done; see to it first")
    leg = _following(job, gone, done, planner)
    if leg is None:
        raise RunError(
            f"{error}\nno plan within the instance's limits is left without {', '.join(sorted(gone))}"
        )
    _forget_what_was_not_done(job, gone, done)
    settings = replace(job.settings, faults=faults_left(job.settings.faults, names))
    job = replace(job, settings=settings, legs=(*job.legs, replace(leg, lost=lost)))
    job.write()
    return job


def _following(job: Job, gone: Set[str], done: int, planner: Planner) -> SlotsLeg | None:
    """Return the leg that follows; None where no plan is left."""
    leg, slots = job.leg, job.num_slots - done
    if slots == 0:
        return replace(leg, since=done)
    if not gone:
        return rest_of(leg, done, slots)

    def planned_without(away: Set[str]) -> SlotsLeg | None:
        try:
            problem = remainder(leg.problem, leg.plan, done - leg.since, slots, away)
            plan = planner(problem, leg.plan)
        except InvalidInputError:  # no cluster is left
            return None
        return None if plan is None else Leg(problem, plan, done)

    found = planned_without(gone)
    if found is None:
        clusters = leg.problem.instance.clusters
        names = {one.id for one in clusters}
        hit = {one.id for one in clusters if gone & {device.id for device in one.devices}}
        rest = {name for name in hit if planned_without(gone | (names - {name})) is None}
        found = planned_without(gone | rest) if rest else None
    return found


def _forget_what_was_not_done(job: Job, gone: Set[str], done: int) -> None:
    """Let be lost what the lost ones have kept, and what belongs to a slot that is made anew."""
    for rank in range(len(job.cast)):
        failure_path(job.folder, rank).unlink(missing_ok=True)
    for band in job.folder.glob(f"{AIRTIME}-*"):
        band.unlink()
    for seat, one in enumerate(job.everybody):
        forget(job.folder, seat, beyond=() if one.name in gone else (done,))
        Journal(journal_path(job.folder, seat), holds_until(done))
