"""What a plan uses: of limits on the whole plan, and of the memory and the time of its nodes."""

from __future__ import annotations

from collections.abc import Iterator

from edgeplan.models.explanation import LimitUse, NodeUse
from edgeplan.models.layer_assignment import LayerAssignment, Plan, Stage
from edgeplan.models.layer_assignment.plan_cost import PlanCost, VisitCost
from edgeplan.models.numbers import exceeds
from edgeplan.solvers.units import figure_text

_TOLERANCE = 1e-9  # as limits in floats are judged


def limit_uses(problem: LayerAssignment, plan: Plan) -> tuple[LimitUse, ...]:
    """How much of each limit on the whole plan it uses, those without slack first.

    Examples
    --------
    >>> from edgeplan.models.layer_assignment.examples import two_layers_two_nodes
    >>> problem = two_layers_two_nodes().replace(limits={"min_nodes": 2, "deadline_s": 9.0})
    >>> stages = [{"node": "fast", "layers": ["conv"]}, {"node": "slow", "layers": ["head"]}]
    >>> for use in limit_uses(problem, Plan.from_document({"stages": stages})):
    ...     print(use.message)
    2 nodes used, at least 2 needed: no slack
    4 s taken, at most 9 s allowed
    """
    uses = _limit_uses(problem, problem.cost(plan))
    return tuple(sorted(uses, key=lambda use: (not use.binds, use.slack / max(abs(use.have), 1e-12))))


def _limit_uses(problem: LayerAssignment, cost: PlanCost) -> Iterator[LimitUse]:
    limits, nodes = problem.instance.limits, problem.instance.network.nodes
    used, most = len(cost.visits), max(len(visit.visit.own_layers) for visit in cost.visits)
    samples = sum(nodes[visit.visit.node].num_samples for visit in cost.visits)
    if limits.min_nodes > 1:
        yield _at_least("min_nodes", limits.min_nodes, used, "nodes used")
    if limits.max_nodes is not None:
        yield _at_most("max_nodes", limits.max_nodes, used, "nodes used")
    if limits.max_layers_per_node is not None:
        yield _at_most("max_layers_per_node", limits.max_layers_per_node, most, "layers on a node")
    if limits.min_samples:
        yield _at_least("min_samples", limits.min_samples, samples, "samples on the used nodes")
    for name, taken, unit in (
        ("deadline_s", cost.time_s, "s"),
        ("budget_energy_j", cost.energy_j, "J"),
        ("budget_price", cost.price, ""),
    ):
        limit = getattr(limits, name)
        if limit is not None and taken is not None:
            yield _at_most(name, limit, taken, "taken", unit)


def _at_most(name: str, have: float, used: float, what: str, unit: str = "") -> LimitUse:
    text = f"{figure_text(used, unit)} {what}, at most {figure_text(have, unit)} allowed"
    return _use(name, have, used, have - used, text)


def _at_least(name: str, have: float, used: float, what: str) -> LimitUse:
    return _use(
        name, have, used, used - have, f"{figure_text(used)} {what}, at least {figure_text(have)} needed"
    )


def _use(name: str, have: float, used: float, slack: float, text: str) -> LimitUse:
    binds = slack <= _TOLERANCE * max(1.0, have)
    message = f"{text}: no slack" if binds else text
    return LimitUse(
        pointer=f"/limits/{name}", have=have, used=used, slack=max(0.0, slack), binds=binds, message=message
    )


def node_uses(problem: LayerAssignment, plan: Plan) -> tuple[NodeUse, ...]:
    """How loaded each used node is, and what it has left, in stage order."""
    return tuple(_node_use(problem, plan, k, visit) for k, visit in enumerate(problem.cost(plan).visits))


def _node_use(problem: LayerAssignment, plan: Plan, k: int, cost: VisitCost) -> NodeUse:
    node = problem.instance.network.nodes[cost.visit.node]
    free = node.memory_bytes - cost.memory_bytes
    return NodeUse(
        node=node.id,
        layers=len(cost.visit.own_layers),
        compute_s=cost.compute_s,
        memory_bytes=cost.memory_bytes,
        memory_budget_bytes=node.memory_bytes,
        memory_free_bytes=free,
        memory_free_share=free / node.memory_bytes,
        holds_another_layer=_holds_another_layer(problem, plan, k),
        window_slack_s=_window_slack_s(problem, cost),
    )


def _holds_another_layer(problem: LayerAssignment, plan: Plan, k: int) -> bool | None:
    """Whether the node could take over the next layer on either side, for all its memory says."""
    stages, node = plan.stages, plan.stages[k].node
    pointer = f"/network/nodes/{problem.instance.network.index_of[node]}/memory_bytes"
    grown = [*_grown_to_the_front(stages, k), *_grown_to_the_back(stages, k)]
    if not grown:
        return None
    return any(all(broken.pointer != pointer for broken in problem.violations(plan)) for plan in grown)


def _grown_to_the_front(stages: tuple[Stage, ...], k: int) -> Iterator[Plan]:
    """The plan in which stage k takes the last layer of the one before."""
    if k > 0:
        before, mine = stages[k - 1].layers, stages[k].layers
        pair = _stage(stages[k - 1].node, before[:-1]), _stage(stages[k].node, (before[-1], *mine))
        yield _without_empty((*stages[: k - 1], *pair, *stages[k + 1 :]))


def _grown_to_the_back(stages: tuple[Stage, ...], k: int) -> Iterator[Plan]:
    """The plan in which stage k takes the first layer of the one behind."""
    if k + 1 < len(stages):
        mine, behind = stages[k].layers, stages[k + 1].layers
        pair = _stage(stages[k].node, (*mine, behind[0])), _stage(stages[k + 1].node, behind[1:])
        yield _without_empty((*stages[:k], *pair, *stages[k + 2 :]))


def _stage(node: str, layers: tuple[str, ...]) -> Stage:
    return Stage(node=node, layers=layers)


def _without_empty(stages: tuple[Stage, ...]) -> Plan:
    return Plan(stages=tuple(stage for stage in stages if stage.layers))


def _window_slack_s(problem: LayerAssignment, cost: VisitCost) -> float | None:
    """Seconds between the end of computing and the end of the window that it fits."""  # (7)
    windows = problem.instance.network.nodes[cost.visit.node].available_s
    if windows is None or problem.is_pipeline or cost.compute_start_s is None:
        return None
    end_s = cost.compute_start_s + cost.compute_s
    within = (end for start, end in windows if start <= cost.compute_start_s and not exceeds(end_s, end))
    return max(0.0, min(within) - end_s)
