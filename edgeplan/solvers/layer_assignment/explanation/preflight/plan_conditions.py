"""Necessary conditions on the whole plan: counts, samples, pins and their order, deadline and budgets."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from itertools import groupby, pairwise

from edgeplan.models.explanation import Condition
from edgeplan.models.numbers import exceeds
from edgeplan.solvers.layer_assignment.explanation.preflight.conditions import condition
from edgeplan.solvers.layer_assignment.explanation.preflight.floors import Floors, joules, price, seconds
from edgeplan.solvers.units import figure_text

_ROUNDING = 1e-9


def enough_nodes(floors: Floors) -> Iterator[Condition]:  # (1), (2), (3)
    """As many nodes as a plan needs may serve, and limits on their number agree."""
    limits, workers = floors.problem.instance.limits, len(floors.workers)
    have = min(workers, floors.num_layers)
    message = f"{workers} nodes may serve the {floors.num_layers} layers; at least {limits.min_nodes} must"
    places = [("limits", "min_nodes"), ("network", "nodes")]
    yield condition(
        "min_nodes", places, message, need=limits.min_nodes, have=have, holds=limits.min_nodes <= have
    )
    if limits.max_nodes is not None:
        message = f"at least {floors.stages} stages are needed; at most {limits.max_nodes} nodes are allowed"
        holds = floors.stages <= limits.max_nodes
        places = [("limits", "max_nodes"), ("limits", "min_nodes"), ("limits", "max_layers_per_node")]
        yield condition("max_nodes", places, message, need=floors.stages, have=limits.max_nodes, holds=holds)
    if limits.max_layers_per_node is not None:
        most = workers * limits.max_layers_per_node
        message = (
            f"{workers} nodes with at most {limits.max_layers_per_node} layers each own at most {most}; "
            f"there are {floors.num_layers}"
        )
        places = [("limits", "max_layers_per_node"), ("network", "nodes")]
        holds = floors.num_layers <= most
        yield condition(
            "max_layers_per_node", places, message, need=floors.num_layers, have=most, holds=holds
        )


def enough_samples(floors: Floors) -> Iterator[Condition]:  # (3)
    """The nodes richest in samples hold as many as a plan needs."""
    limits = floors.problem.instance.limits
    if not limits.min_samples:
        return
    most = min(limits.max_nodes or floors.num_layers, floors.num_layers)
    have = sum(heapq.nlargest(most, (node.num_samples for node in floors.workers)))
    message = (
        f"at most {most} nodes may be used, and the richest hold {have:,} samples together; at least "
        f"{limits.min_samples:,} are needed"
    )
    places = [("limits", "min_samples"), ("limits", "max_nodes"), ("network", "nodes")]
    holds = limits.min_samples <= have
    yield condition("min_samples", places, message, need=limits.min_samples, have=have, holds=holds)


def pins_agree(floors: Floors) -> Iterator[Condition]:  # (1), (2), (3)
    """A node's pinned layers are neighbours, and a given order of nodes is kept."""
    instance, pin = floors.problem.instance, floors.problem.instance.pin
    own = [instance.model.layers[index].name for index in floors.problem.figures.own]
    pinned = [(layer, pin[layer]) for layer in own if layer in pin]
    blocks = [(node, [layer for layer, _ in block]) for node, block in groupby(pinned, key=lambda p: p[1])]
    seen: dict[str, str] = {}
    for node, layers in blocks:
        if node in seen:
            message = f"layers {seen[node]} and {layers[0]} are pinned to {node}, one between them is not"
            places = [("pin", seen[node]), ("pin", layers[0])]
            yield condition("pin", places, message, need=None, have=None, holds=False)
        seen[node] = layers[-1]
    if instance.node_order == "given":
        index_of = instance.network.index_of
        for (before, first), (after, last) in pairwise(blocks):
            if index_of[after] < index_of[before]:
                message = f"layer {last[0]} is pinned to {after}, which the given order puts before {before}"
                places = [("pin", first[-1]), ("pin", last[0])]
                yield condition("node_order", places, message, need=None, have=None, holds=False)


def budgets_suffice(floors: Floors) -> Iterator[Condition]:  # (3)
    """Deadline and budgets leave room for the computing alone, each layer where it is cheapest."""
    limits = floors.problem.instance.limits
    for name, rate, unit, limit in (
        ("deadline_s", seconds, "s", limits.deadline_s),
        ("budget_energy_j", joules, "J", limits.budget_energy_j),
        ("budget_price", price, "", limits.budget_price),
    ):
        if limit is None:
            continue
        need = floors.computing(rate)
        least, allowed = figure_text(need, unit), figure_text(limit, unit)
        message = f"computing alone takes at least {least}; {allowed} are allowed"
        holds = not exceeds(need * (1 - _ROUNDING), limit)
        known = need if math.isfinite(need) else None
        yield condition(name, [("limits", name)], message, need=known, have=limit, holds=holds)
