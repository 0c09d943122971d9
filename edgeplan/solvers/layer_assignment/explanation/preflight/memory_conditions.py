"""Necessary conditions on memory: each layer on a node, pinned layers on theirs, all layers together."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from edgeplan.models.explanation import Condition
from edgeplan.models.faults import Path
from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.network import Node
from edgeplan.solvers.layer_assignment.explanation.preflight.conditions import condition
from edgeplan.solvers.layer_assignment.explanation.preflight.floors import Floors
from edgeplan.solvers.units import compared_bytes

_MOST_NAMED = 5


def layers_fit_a_node(floors: Floors) -> Iterator[Condition]:  # (3), (4), (9)
    """Each layer fits some node that may own it; where all do, the tightest is told."""
    roomiest = _Roomiest(floors)
    placed = [(layer, need, roomiest.for_layer(layer)) for layer, need in _needs(floors)]
    placed.sort(key=lambda entry: (entry[2].memory_bytes if entry[2] else 0) - entry[1])
    failing = [entry for entry in placed if entry[2] is None or entry[1] > entry[2].memory_bytes]
    for layer, need, node in failing[:_MOST_NAMED] or placed[:1]:
        yield _fits(floors, layer, need, node)


def _needs(floors: Floors) -> Iterator[tuple[str, int]]:
    layers = floors.problem.instance.model.layers
    names = (layers[index].name for index in floors.problem.figures.own)
    return zip(names, floors.layer_bytes, strict=True)


def _fits(floors: Floors, layer: str, need: int, node: Node | None) -> Condition:
    instance = floors.problem.instance
    pinned = layer in instance.pin
    if node is None:
        message = f"layer {layer} has no node that may own it"
        places: list[Path] = [("pin", layer)] if pinned else [("forbid",)]
        return condition("layer_memory", places, message, need=need, have=None, holds=False)
    which = (
        f"{node.id}, to which it is pinned," if pinned else f"the largest node that may own it, {node.id},"
    )
    least, most = compared_bytes(need, node.memory_bytes)
    message = f"layer {layer} alone needs {least}; {which} has {most}"
    places = [("network", "nodes", instance.network.index_of[node.id], "memory_bytes")]
    places += [("pin", layer)] if pinned else []
    holds = need <= node.memory_bytes
    return condition("layer_memory", places, message, need=need, have=node.memory_bytes, holds=holds)


@dataclass(frozen=True)
class _Roomiest:
    """The roomiest node that may own a layer."""

    floors: Floors

    @cached_property
    def _forbidden(self) -> dict[str, set[str]]:
        forbidden: dict[str, set[str]] = {}
        for layer, node in self.floors.problem.instance.forbid:
            forbidden.setdefault(layer, set()).add(node)
        return forbidden

    @cached_property
    def _largest(self) -> list[Node]:
        """So many that one is left for every layer, whatever is forbidden."""
        most = max((len(nodes) for nodes in self._forbidden.values()), default=0)
        return heapq.nlargest(most + 1, self.floors.workers, key=lambda node: node.memory_bytes)

    @cached_property
    def _worker(self) -> dict[str, Node]:
        return {node.id: node for node in self.floors.workers}

    def for_layer(self, layer: str) -> Node | None:
        forbidden, pinned = self._forbidden.get(layer, set()), self.floors.problem.instance.pin.get(layer)
        if pinned is not None:
            return None if pinned in forbidden else self._worker.get(pinned)
        return next((node for node in self._largest if node.id not in forbidden), None)


def layers_fit_together(floors: Floors) -> Iterator[Condition]:  # (1), (4), (9)
    """What all layers add fits what the roomiest nodes have for it."""
    if floors.total_bytes is None:
        return
    need, have = floors.total_bytes
    most = floors.problem.instance.limits.max_nodes
    least, free = compared_bytes(need, have)
    which = f"the {most} roomiest nodes" if most is not None else "the nodes"
    message = (
        f"all layers together add at least {least} of weights, optimizer state and activations; "
        f"{which} have {free} for it"
    )
    places: list[Path] = [("network", "nodes")]
    places += [("limits", "max_nodes")] if most is not None else []
    yield condition("total_memory", places, message, need=need, have=have, holds=need <= have)


def pinned_runs_fit(floors: Floors) -> Iterator[Condition]:  # (1), (3), (4), (9)
    """A node holds everything between the first and the last layer that is pinned to it."""
    problem = floors.problem
    for node_id, positions in _pinned_positions(problem).items():
        if len(positions) < 2:
            continue
        own = problem.figures.own[positions[0] : positions[-1] + 1]
        node = problem.instance.network.nodes[problem.instance.network.index_of[node_id]]
        need, names = floors.least_bytes(own), [problem.instance.model.layers[own[k]].name for k in (0, -1)]
        least, most = compared_bytes(need, node.memory_bytes)
        message = (
            f"layers {names[0]} to {names[1]} need {least} on {node_id}, to which they are pinned; "
            f"it has {most}"
        )
        places: list[Path] = [
            ("network", "nodes", problem.instance.network.index_of[node_id], "memory_bytes")
        ]
        places += [("pin", layer) for layer, owner in problem.instance.pin.items() if owner == node_id]
        holds = need <= node.memory_bytes
        yield condition("pinned_memory", places, message, need=need, have=node.memory_bytes, holds=holds)


def _pinned_positions(problem: LayerAssignment) -> dict[str, list[int]]:
    """Positions of the layers pinned to each node, in order."""
    pin, layers = problem.instance.pin, problem.instance.model.layers
    positions: dict[str, list[int]] = {}
    for position, index in enumerate(problem.figures.own):
        if layers[index].name in pin:
            positions.setdefault(pin[layers[index].name], []).append(position)
    return positions
