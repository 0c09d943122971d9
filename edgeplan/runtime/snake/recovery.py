"""A run carried through the loss of nodes: planned anew, and gone on with from what the others have kept.

What a node has done is done once its parameters have left it; what it still held is lost with it. The planner
is asked for the rest of the round, its visited stages fixed. Where there is no such plan, the round ends
early, and the next one follows a plan of the nodes left. A server has no substitute: it is started again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgeplan.errors import InvalidInputError, RunError
from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.models.layer_assignment.remainder import without_nodes
from edgeplan.runtime.learning.checkpoints import forget, place_kept
from edgeplan.runtime.processes.journal import Journal
from edgeplan.runtime.processes.records import failure_path, journal_path
from edgeplan.runtime.processes.rehearsal import faults_left
from edgeplan.runtime.processes.starting_again import Tell, carried_through
from edgeplan.runtime.processes.supervision import Lost, NodesLostError, Progress
from edgeplan.runtime.snake.course import BEGINNING, Leg, Position, holds_before
from edgeplan.runtime.snake.job import Job
from edgeplan.runtime.snake.report.incidents import incident_line

Planner = Callable[[LayerAssignment, Plan], Plan | None]
"""Finds a plan of an instance from an old plan; None where there is none."""


def carry_through(
    job: Job,
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
        Called when a round was scored.
    on_incident
        Called with what happened and how it goes on, in words.

    Raises
    ------
    RunError
        When a process failed by itself, or there is no plan for the nodes left.
    """

    def without(job: Job, error: NodesLostError) -> Job:
        assert planner is not None
        return _without(job, error, planner)

    def incident_of(job: Job) -> str:
        return incident_line(job.incidents[-1])

    goes_on = None if planner is None else without
    return carried_through(job, goes_on, incident_of, on_progress, on_incident)


def _without(job: Job, error: NodesLostError, planner: Planner) -> Job:
    """Return the job that goes on without what was lost, written to its file."""
    lost = {job.node_of(rank): how for rank, how in error.lost.items()}
    gone = [node for node in lost if node != job.problem.server]
    for node in gone:
        forget(job.folder, job.seat_of(node))
    job = replace(job, away=(*job.away, *gone))
    position = max(*(_position_kept(job.folder, seat) for seat in _seats(job)), job.legs[-1].first)
    for node in gone:
        Journal(journal_path(job.folder, job.seat_of(node)), holds_before(position))
    for rank in range(job.world_size):
        failure_path(job.folder, rank).unlink(missing_ok=True)
    followed = _followed(job, gone, position, planner)
    if followed is None:
        left = len(job.holders) - len(job.away)
        raise RunError(
            f"{error}\nno plan within the instance's limits is left for {left} nodes; once it is back, "
            f"edgeplan run --resume {job.folder} goes on"
        )
    job = _on_leg(job, followed, position)
    faults = faults_left(job.settings.faults, lost)
    job = replace(
        job,
        settings=replace(job.settings, faults=faults),
        incidents=(*job.incidents, _incident(job, lost, position)),
    )
    job.write()
    return job


def _seats(job: Job) -> list[int]:
    """Seats of nodes that are there, the server's too."""
    return [seat for seat, node in enumerate((*job.holders, None)) if node not in job.away]


def _followed(job: Job, gone: list[str], position: Position, planner: Planner) -> Leg | None:
    """Return the leg that follows: of the rest of the round, else of the next one."""
    if not gone:
        return Leg(job.plan, position)
    visited = job.plan.stages[: position.stage]
    if visited and not any(stage.node in job.away for stage in visited):
        rest = planned_for(job, position.stage, planner)
        if rest is not None:
            return Leg(rest, position)
    anew = planned_for(job, 0, planner)
    begins = position if position.stage == 0 else Position(position.round + 1, 0)
    return None if anew is None else Leg(anew, begins)


def planned_for(job: Job, num_visited: int, planner: Planner) -> Plan | None:
    """Plan the nodes left, the first stages of the plan fixed; None where there is no plan."""
    nodes = {*job.holders, job.problem.server} - {*job.away}
    absent = {node.id for node in job.problem.instance.network.nodes} - nodes
    document, visited = without_nodes(job.problem.to_document(), absent), job.plan.stages[:num_visited]
    done = {layer: stage.node for stage in visited for layer in stage.layers}
    shared = {*job.problem.instance.shared_layers}
    to_do = [layer.name for layer in job.problem.instance.model.layers if layer.name not in {*done, *shared}]
    document["forbid"] = [pair for pair in document["forbid"] if pair[0] not in done]
    document["forbid"] += [[layer, stage.node] for stage in visited for layer in to_do]
    document["pin"] = document.get("pin", {}) | done
    try:
        return planner(LayerAssignment.from_document(document), job.plan)
    except InvalidInputError:  # nobody is left, or a layer is pinned to a node that is gone
        return None


def _on_leg(job: Job, leg: Leg, position: Position) -> Job:
    legs = (*job.legs[:-1], replace(job.legs[-1], end=position), leg)
    if leg.first == job.legs[-1].first:  # nothing was done under the plan before
        legs = (*job.legs[:-1], leg)
    newest = max(_seats(job), key=lambda seat: _position_kept(job.folder, seat))
    stages = {stage.node for stage in leg.plan.stages}
    holder = job.holders[newest] if newest < len(job.holders) else None
    return replace(job, legs=legs, giver=None if holder in stages else holder)


def _incident(job: Job, lost: dict[str, Lost], position: Position) -> dict[str, Any]:
    first = job.legs[-1].first
    return {
        "nodes": {node: f"{one.how} ({one.doing})" for node, one in lost.items()},
        "next_visit": {"round": position.round, "stage": position.stage},
        "goes_on": {"round": first.round, "stage": first.stage},
        "stages": job.plan.to_document()["stages"],
    }


def _position_kept(folder: Path, seat: int) -> Position:
    """Return the next visit by what a node has kept."""
    return Position(*(place_kept(folder, seat) or BEGINNING))
