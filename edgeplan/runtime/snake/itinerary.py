"""The plan as visits: which layers each stage trains, and which travel to it and back, equation (6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.models.layer_assignment.plan_cost import VisitCost


@dataclass(frozen=True)
class PlannedVisit:
    """One stage: its layers by name, in model order, and what the problem predicts of it.

    Parameters
    ----------
    stage
        Position in the plan; also the rank of the node's process.
    node
        Id of the node.
    own
        Layers that only this stage trains.
    trained
        Layers that it trains, the shared ones included.
    update
        Layers that travel to it before the visit.
    predicted
        Bytes, times and memory by equations (4) to (7).
    """

    stage: int
    node: str
    own: tuple[str, ...]
    trained: tuple[str, ...]
    update: tuple[str, ...]
    predicted: VisitCost


def planned_visits(problem: LayerAssignment, plan: Plan) -> tuple[PlannedVisit, ...]:
    """Return the visits of one round.

    Examples
    --------
    >>> from edgeplan.models.layer_assignment.examples import two_layers_two_nodes
    >>> plan = {"stages": [{"node": "slow", "layers": ["conv"]}, {"node": "fast", "layers": ["head"]}]}
    >>> problem = two_layers_two_nodes()
    >>> [visit.update for visit in planned_visits(problem, problem.plan_from_document(plan))]
    [('head',), ('conv',)]
    """
    instance = problem.instance
    names = [layer.name for layer in instance.model.layers]
    changing = set(names) if instance.train_shared else set(names) - set(instance.shared_layers)
    visits = []
    for k, (stage, cost) in enumerate(zip(plan.stages, problem.cost(plan).visits, strict=True)):
        own = set(stage.layers)
        trained = own | (set(instance.shared_layers) & changing)
        layers = [_ordered(names, some) for some in (own, trained, changing - own)]
        visits.append(PlannedVisit(k, stage.node, layers[0], layers[1], layers[2], cost))
    return tuple(visits)


def _ordered(names: Sequence[str], some: set[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name in some)


def server_rank(problem: LayerAssignment, plan: Plan) -> int | None:
    """Rank of the server's process, after all stages; None with transport peer."""
    return len(plan.stages) if problem.instance.transport == "server" else None


def world_size(problem: LayerAssignment, plan: Plan) -> int:
    """Number of processes: one for each used node, and one for the server."""
    return len(plan.stages) + (problem.instance.transport == "server")


def node_of_rank(problem: LayerAssignment, plan: Plan, rank: int) -> str:
    """Id of the node that a process stands for."""
    if rank < len(plan.stages):
        return plan.stages[rank].node
    assert problem.instance.server is not None
    return problem.instance.server
