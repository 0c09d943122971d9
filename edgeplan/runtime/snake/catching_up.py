"""The start of a leg: where the run stands, and who lacks what of it.

Every process says how far the work was that it has kept. The run goes on from the newest, and its holder
gives each of the others the layers that it needs and that were trained since. In a run that begins, nobody
lacks anything.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgeplan.models.layer_assignment import Plan
from edgeplan.runtime.learning.checkpoints import recall
from edgeplan.runtime.processes.gathering import told_by_all
from edgeplan.runtime.processes.journal import Journal
from edgeplan.runtime.processes.records import journal_path
from edgeplan.runtime.snake.course import BEGINNING, Position, holds_before, visits_made
from edgeplan.runtime.snake.device.link import receive, send
from edgeplan.runtime.snake.device.node import NodeProcess
from edgeplan.runtime.snake.itinerary import planned_visits
from edgeplan.runtime.snake.job import Job

CAUGHT_UP = "caught_up"


@dataclass(frozen=True)
class Standing:
    """Where a run stands.

    Parameters
    ----------
    job
        The run; its last leg begins where it stands.
    kept
        How far each rank's own work is.
    """

    job: Job
    kept: tuple[Position, ...]

    @property
    def start(self) -> Position:
        """The next visit."""
        return max(*self.kept, self.job.legs[-1].first)

    @property
    def holder(self) -> int:
        """Rank with the newest parameters."""
        return self.kept.index(max(self.kept))

    def lacks(self, rank: int) -> tuple[str, ...]:
        """Return the layers that a rank needs for the next visits and has not as they are now."""
        stale: set[str] = set()
        for position, leg in visits_made(self.job.legs, self.start):
            if position >= self.kept[rank]:
                stale.update(_trained(self.job, leg.plan, position.stage))
        return tuple(name for name in self._needs(rank) if name in stale)

    def _needs(self, rank: int) -> tuple[str, ...]:
        """Layers that no regular hop will bring: the own ones, and all of them where a hop begins."""
        job, last = self.job, len(self.job.visits) - 1
        names = [layer.name for layer in job.problem.instance.model.layers]
        sends_first = (self.start.stage - 1) % (last + 1)
        if rank in (job.server_rank, sends_first):
            return tuple(names)
        return job.visits[rank].own if rank <= last else ()


def _trained(job: Job, plan: Plan, stage: int) -> tuple[str, ...]:
    return planned_visits(job.problem, plan)[stage].trained


def catch_up(node: NodeProcess) -> Position:
    """Bring a process to where the run stands, and return the next visit."""
    own = recall(node.workload, node.job.folder, node.seat) or BEGINNING
    kept = tuple(Position(*position) for position in told_by_all(own))
    standing = Standing(node.job, kept)
    node.job = node.job.resumed_at(standing.start)
    node.events = Journal(journal_path(node.job.folder, node.seat), holds_before(standing.start))
    for rank in range(node.job.world_size):
        layers = standing.lacks(rank)
        if not layers or rank == standing.holder:
            continue
        if node.rank == standing.holder:
            send(node.workload.parameters(layers), node.starting_clock(), rank)
        elif node.rank == rank:
            received = receive(
                node.workload.parameters(layers), standing.holder, node.shape(standing.holder, rank)
            )
            place = {"round": standing.start.round, "stage": standing.start.stage}
            node.events.append({"event": CAUGHT_UP, **place, "rank": rank, "bytes": received.num_bytes})
    if standing.start.stage == 0 and standing.start.round > 1 and node.rank == len(node.job.visits) - 1:
        node.score("snake", standing.start.round - 1)
    return standing.start
