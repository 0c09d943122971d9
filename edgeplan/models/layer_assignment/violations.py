"""Every way in which a plan can break rules (1) to (4), (7) and (9), by name.

Pointers lead to the limit in the instance where a limit is broken (``/network/nodes/3/memory_bytes``),
and to the plan (``/plan/stages/0/node``) where the plan itself is no assignment.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from edgeplan.models.faults import Path
from edgeplan.models.layer_assignment.instance import LayerAssignmentInstance
from edgeplan.models.layer_assignment.plan import Plan
from edgeplan.models.layer_assignment.plan_cost import PlanCost, Visit
from edgeplan.models.layer_assignment.stage_figures import StageFigures
from edgeplan.models.numbers import exceeds
from edgeplan.models.raw import repeated_values
from edgeplan.models.violation import Violation


def structure_violations(figures: StageFigures, plan: Plan) -> Iterator[Violation]:
    """Yield what makes the plan no assignment at all: unknown names and rule (1)."""
    instance = figures.instance
    if not plan.stages:
        yield Violation.at("stages", ("plan", "stages"), "the plan has no stage", need=1, have=0)
    own_names = [instance.model.layers[index].name for index in figures.own]
    known, shared = {layer.name for layer in instance.model.layers}, set(instance.shared_layers)
    for k, stage in enumerate(plan.stages):
        place: Path = ("plan", "stages", k)
        if stage.node not in instance.network.index_of:
            message = f"the instance has no node {stage.node}"
            yield Violation.at("unknown_node", (*place, "node"), message, need=None, have=stage.node)
        if not stage.layers:
            message = f"stage {k} on {stage.node} owns no layer"
            yield Violation.at("stages", (*place, "layers"), message, need=1, have=0)
        for position, name in enumerate(stage.layers):
            if name not in known:
                message = f"the model has no layer {name}"
                yield Violation.at(
                    "unknown_layer", (*place, "layers", position), message, need=None, have=name
                )
            elif name in shared:
                message = f"layer {name} is shared, so no stage owns it"
                yield Violation.at(
                    "shared_layer", (*place, "layers", position), message, need=None, have=name
                )
    yield from _coverage(own_names, plan)


def _coverage(own_names: list[str], plan: Plan) -> Iterator[Violation]:
    """The stages' layers, one stage after another, are R."""  # (1)
    given = [name for stage in plan.stages for name in stage.layers]
    owned = set(given)
    for name in own_names:
        if name not in owned:
            yield Violation.at(
                "coverage", ("plan", "stages"), f"no stage owns layer {name}", need=name, have=None
            )
    for _, name in repeated_values(given):
        message = f"layer {name} is owned more than once"
        yield Violation.at("coverage", ("plan", "stages"), message, need=1, have=given.count(name))
    if given != own_names and sorted(given) == sorted(own_names):
        place = next(
            k for k, (name, expected) in enumerate(zip(given, own_names, strict=True)) if name != expected
        )
        message = (
            f"the stages' layers are not in model order: {given[place]} stands where {own_names[place]} must"
        )
        yield Violation.at("order", ("plan", "stages"), message, need=own_names[place], have=given[place])


def limit_violations(
    instance: LayerAssignmentInstance, visits: list[Visit], cost: PlanCost
) -> Iterator[Violation]:
    """Yield the broken rules (2) to (4), (7) and (9) of a plan whose structure is whole."""
    yield from _node_at_most_once(instance, visits)
    yield from _given_order(instance, visits)
    yield from _pins_and_forbids(instance, visits)
    yield from _counts(instance, visits)
    yield from _memory_within_node(instance, cost)
    yield from _compute_within_window(instance, cost)
    yield from _budgets(instance, cost)


def _node_at_most_once(instance: LayerAssignmentInstance, visits: list[Visit]) -> Iterator[Violation]:  # (2)
    for k, node in repeated_values(visit.node for visit in visits):
        name = instance.network.nodes[node].id
        message = f"node {name} serves more than one stage"
        uses = sum(visit.node == node for visit in visits)
        yield Violation.at("node_once", ("plan", "stages", k, "node"), message, need=uses, have=1)
    for k, visit in enumerate(visits):
        name = instance.network.nodes[visit.node].id
        if name == instance.server and instance.schedule == "serial":
            message = f"node {name} is the server, which serves no stage"
            yield Violation.at("server", ("plan", "stages", k, "node"), message, need=None, have=name)


def _given_order(instance: LayerAssignmentInstance, visits: list[Visit]) -> Iterator[Violation]:  # (3)
    if instance.node_order == "free":
        return
    for k, (before, after) in enumerate(pairwise(visits), start=1):
        if after.node < before.node:
            names = [instance.network.nodes[visit.node].id for visit in (before, after)]
            message = f"node {names[1]} follows {names[0]}, against the given order of nodes"
            yield Violation.at(
                "node_order", ("plan", "stages", k, "node"), message, need=names[0], have=names[1]
            )


def _pins_and_forbids(instance: LayerAssignmentInstance, visits: list[Visit]) -> Iterator[Violation]:  # (3)
    owner = {
        instance.model.layers[index].name: instance.network.nodes[visit.node].id
        for visit in visits
        for index in visit.own_layers
    }
    for layer, node in instance.pin.items():
        if owner[layer] != node:
            message = f"layer {layer} is pinned to {node} and owned by {owner[layer]}"
            yield Violation.at("pin", ("pin", layer), message, need=node, have=owner[layer])
    for index, (layer, node) in enumerate(instance.forbid):
        if owner[layer] == node:
            message = f"layer {layer} is forbidden on {node}"
            yield Violation.at("forbid", ("forbid", index), message, need=None, have=node)


def _counts(instance: LayerAssignmentInstance, visits: list[Visit]) -> Iterator[Violation]:  # (3)
    nodes = {visit.node for visit in visits}
    limits, used = instance.limits, len(nodes)
    if used < limits.min_nodes:
        message = f"{used} nodes are used, at least {limits.min_nodes} must be"
        yield Violation.at("min_nodes", ("limits", "min_nodes"), message, need=limits.min_nodes, have=used)
    if limits.max_nodes is not None and used > limits.max_nodes:
        message = f"{used} nodes are used, at most {limits.max_nodes} may be"
        yield Violation.at("max_nodes", ("limits", "max_nodes"), message, need=used, have=limits.max_nodes)
    most = max(len(visit.own_layers) for visit in visits)
    if limits.max_layers_per_node is not None and most > limits.max_layers_per_node:
        message = f"a stage owns {most} layers, at most {limits.max_layers_per_node} are allowed"
        path: Path = ("limits", "max_layers_per_node")
        yield Violation.at("max_layers_per_node", path, message, need=most, have=limits.max_layers_per_node)
    samples = sum(instance.network.nodes[node].num_samples for node in nodes)
    if samples < limits.min_samples:
        message = f"the used nodes hold {samples} samples, at least {limits.min_samples} must be"
        path = ("limits", "min_samples")
        yield Violation.at("min_samples", path, message, need=limits.min_samples, have=samples)


def _memory_within_node(instance: LayerAssignmentInstance, cost: PlanCost) -> Iterator[Violation]:  # (4), (9)
    for visit in cost.visits:
        node = instance.network.nodes[visit.visit.node]
        if visit.memory_bytes > node.memory_bytes:
            message = (
                f"node {node.id} needs {visit.memory_bytes} bytes for its stage and has {node.memory_bytes}, "
                f"{visit.memory_bytes - node.memory_bytes} too few"
            )
            path: Path = ("network", "nodes", visit.visit.node, "memory_bytes")
            yield Violation.at("memory", path, message, need=visit.memory_bytes, have=node.memory_bytes)


def _compute_within_window(instance: LayerAssignmentInstance, cost: PlanCost) -> Iterator[Violation]:  # (7)
    for visit in cost.visits:
        if visit.start_s is None or visit.end_s is not None:
            continue
        node = instance.network.nodes[visit.visit.node]
        windows = node.available_s or ()
        ready_s = visit.start_s + visit.transfer_in_s
        longest = max((end - max(start, ready_s) for start, end in windows), default=0.0)
        message = (
            f"node {node.id} would compute for {visit.compute_s:.6g} s from {ready_s:.6g} s on and has no "
            "window left that long"
        )
        path: Path = ("network", "nodes", visit.visit.node, "available_s")
        yield Violation.at("window", path, message, need=visit.compute_s, have=max(longest, 0.0))


def _budgets(instance: LayerAssignmentInstance, cost: PlanCost) -> Iterator[Violation]:  # (3)
    limits = instance.limits
    for rule, value, limit, unit in (
        ("deadline_s", cost.time_s, limits.deadline_s, " s"),
        ("budget_price", cost.price, limits.budget_price, ""),
        ("budget_energy_j", cost.energy_j, limits.budget_energy_j, " J"),
    ):
        if value is not None and limit is not None and exceeds(value, limit):
            message = f"the round takes {value:.9g}{unit}, at most {limit:.9g}{unit} are allowed"
            yield Violation.at(rule, ("limits", rule), message, need=value, have=limit)
