"""A run carried through the loss of nodes: planned anew from the last batch of which one left has all layers.

The state of all layers is with the first and the last stage after every batch. So one of them may be lost,
and any others. Batches that are done stay as they are; the one that was under way is made anew, by the
planner's choice among the nodes left. The parameters in the end are those of a run without losses: no plan
changes what a batch comes to.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import replace
from typing import Any

from edgeplan.errors import InvalidInputError, RunError
from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.models.layer_assignment.remainder import without_nodes
from edgeplan.runtime.learning.keeping import forget, positions_kept
from edgeplan.runtime.pipeline.batches.job import BatchJob, slowed
from edgeplan.runtime.pipeline.batches.report import incident_line
from edgeplan.runtime.pipeline.course import Leg, batch_holds_until
from edgeplan.runtime.processes.journal import Journal
from edgeplan.runtime.processes.records import failure_path, journal_path
from edgeplan.runtime.processes.rehearsal import faults_left
from edgeplan.runtime.processes.starting_again import Tell, carried_through
from edgeplan.runtime.processes.supervision import NodesLostError, Progress

Planner = Callable[[LayerAssignment, Plan], Plan | None]
"""Finds a plan of an instance from an old plan; None where there is none."""


def carry_through(
    job: BatchJob,
    planner: Planner | None,
    on_progress: Progress | None = None,
    on_incident: Tell | None = None,
) -> dict[str, Any]:
    """Run a prepared job to its report, through what befalls its nodes.

    Parameters
    ----------
    job
        The run.
    planner
        Plans anew when a node was lost; None: the run ends then.
    on_progress
        Called when a batch was scored.
    on_incident
        Called with what happened and how it goes on, in words.

    Raises
    ------
    RunError
        When a process failed by itself, or the nodes left cannot go on.
    """

    def without(job: BatchJob, error: NodesLostError) -> BatchJob:
        assert planner is not None
        return slowed(without_lost(job, error, planner))

    def incident_of(job: BatchJob) -> str:
        return incident_line(job, len(job.legs) - 1)

    goes_on = None if planner is None else without
    return carried_through(job, goes_on, incident_of, on_progress, on_incident)


def without_lost(job: BatchJob, error: NodesLostError, planner: Planner) -> BatchJob:
    """Return the job that goes on without what was lost, written to its file.

    Raises
    ------
    RunError
        When no plan is left, or nobody left has what was done.
    """
    lost = error.named(job.members)
    names = {one.node for one in lost}
    done = _done_without(job, names)
    if done is None:
        raise RunError(
            f"{error}\nonly the lost nodes have all that was done; once one of them is back, edgeplan run "
            f"--resume {job.folder} goes on"
        )
    leg = _planned_without(job, names, planner)
    if leg is None:
        raise RunError(
            f"{error}\nno plan within the instance's limits is left without {', '.join(sorted(names))}"
        )
    _forget_what_was_not_done(job, names, done)
    settings = replace(job.settings, faults=faults_left(job.settings.faults, names))
    legs = (*job.legs, replace(leg, since=done, lost=lost))
    job = replace(job, settings=settings, legs=legs, giver=_giver(job, leg.plan, done))
    job.write()
    return job


def _newest_kept(job: BatchJob) -> dict[str, int]:
    """Return the last batch after which each node has kept all layers; 0 is none."""
    names = [node.id for node in job.whole.instance.network.nodes]
    kept = (positions_kept(job.folder, seat) for seat in range(job.num_seats))
    return {name: max(some, default=(0,))[0] for name, some in zip(names, kept, strict=True)}


def _done_without(job: BatchJob, names: Set[str]) -> int | None:
    """Return the batch after which the nodes left go on; None where more was done, and is lost."""
    kept = _newest_kept(job)
    done = max((number for name, number in kept.items() if name not in names), default=0)
    by_both = min(kept[job.nodes[0]], kept[job.nodes[-1]])
    return None if done < max(job.leg.since, by_both) else done


def _giver(job: BatchJob, plan: Plan, done: int) -> str | None:
    """Return who has to give the state to the nodes of a plan, where none of them has it."""
    have = [name for name, number in _newest_kept(job).items() if number == done]
    return have[0] if done and not {stage.node for stage in plan.stages} & {*have} else None


def _forget_what_was_not_done(job: BatchJob, names: Set[str], done: int) -> None:
    """Let be lost what the lost ones have kept, and what belongs to a batch that is made anew."""
    for rank in range(len(job.members)):
        failure_path(job.folder, rank).unlink(missing_ok=True)
    for seat, node in enumerate(job.whole.instance.network.nodes):
        if node.id in names:
            forget(job.folder, seat)
        Journal(journal_path(job.folder, seat), batch_holds_until(done, len(job.legs)))


def _planned_without(job: BatchJob, names: Set[str], planner: Planner) -> Leg[LayerAssignment, Plan] | None:
    """Return the leg of the nodes left; None where there is no plan."""
    try:
        problem = LayerAssignment.from_document(without_nodes(job.problem.to_document(), names))
    except InvalidInputError:  # nobody is left, or a layer is pinned to a node that is gone
        return None
    plan = planner(problem, job.plan)
    return None if plan is None else Leg(problem, plan)
