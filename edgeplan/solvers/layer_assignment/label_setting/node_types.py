"""Nodes of equal figures are one type, of which a plan may use as many as there are.

What counts is what the equations look at, so ten equal phones are one type of capacity ten, and nodes
that all differ are types of one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.network import Node


@dataclass(frozen=True)
class NodeTypes:
    """The nodes that may serve stages, by type, in the order of ``network.nodes``.

    Parameters
    ----------
    problem
        The instance.
    members
        Indices in ``network.nodes`` of each type's nodes.
    """

    problem: LayerAssignment
    members: tuple[tuple[int, ...], ...]

    @classmethod
    def of(
        cls, problem: LayerAssignment, nodes: Sequence[int] | None = None, *, at_most: int
    ) -> NodeTypes | None:
        """Group nodes but the server; where their order is given, every node is a type.

        Parameters
        ----------
        nodes
            Indices in ``network.nodes``, ascending; all by default.
        at_most
            Types beyond which the answer is None.
        """
        linked = _linked(problem)
        pinned, forbidden = _pinned(problem), _forbidden(problem)
        types: dict[object, list[int]] = defaultdict(list)
        network = problem.instance.network
        for index in range(len(network.nodes)) if nodes is None else nodes:
            node = network.nodes[index]
            if node.id == problem.server:
                continue
            alone = problem.instance.node_order == "given" or node.id in linked
            names = (tuple(pinned[node.id]), tuple(sorted(forbidden[node.id])))
            types[index if alone else (*_figures(problem, node), *names)].append(index)
            if len(types) > at_most:
                return None
        return cls(problem, tuple(tuple(found) for found in types.values()))

    def __len__(self) -> int:
        return len(self.members)

    @cached_property
    def representatives(self) -> tuple[int, ...]:
        """One node of each type."""
        return tuple(found[0] for found in self.members)

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """One node of each type."""
        return tuple(self.problem.instance.network.nodes[index] for index in self.representatives)

    @cached_property
    def capacities(self) -> tuple[int, ...]:
        """Nodes of each type."""
        return tuple(len(found) for found in self.members)

    @property
    def num_groups(self) -> int:
        """Number of groups."""
        return max(self.groups, default=-1) + 1

    @cached_property
    def groups(self) -> tuple[int, ...]:
        """Number of what each type is to its neighbour in the walk; to a server all are alike."""
        if self.problem.server is not None:
            return (0,) * len(self)
        linked = _linked(self.problem)
        keys: dict[object, int] = {}
        found = []
        for place, node in enumerate(self.nodes):
            key = place if node.id in linked else _as_neighbour(self.problem, node)
            found.append(keys.setdefault(key, len(keys)))
        return tuple(found)


def _figures(problem: LayerAssignment, node: Node) -> tuple[object, ...]:
    """What the rules and a weight or a limit ask of a node."""
    timed = "type" in node.model_fields_set and node.type in problem.instance.network.timings
    return (
        node.type if timed else node.flops_per_s,
        timed,
        node.memory_bytes,
        None if problem.is_pipeline else node.available_s,
        node.uplink_bit_per_s,
        node.downlink_bit_per_s,
        node.latency_s,
        node.num_samples if problem.instance.limits.min_samples > 0 else 0,
        (node.compute_power_w, node.transmit_power_w) if problem.energy_matters else None,
        node.price_per_s if problem.price_matters else None,
    )


def _as_neighbour(problem: LayerAssignment, node: Node) -> object:
    """What a transfer's cost depends on: in a serial round its sender, in a pipeline both ends."""
    sending = (
        node.uplink_bit_per_s,
        node.latency_s,
        node.transmit_power_w if problem.energy_matters else None,
        node.price_per_s if problem.price_matters else None,
    )
    return (*sending, node.downlink_bit_per_s) if problem.is_pipeline else sending


def _linked(problem: LayerAssignment) -> set[str]:
    links = problem.instance.network.links
    return {link.source for link in links} | {link.target for link in links}


def _pinned(problem: LayerAssignment) -> dict[str, list[str]]:
    by_node: dict[str, list[str]] = defaultdict(list)
    for layer, node in problem.instance.pin.items():
        by_node[node].append(layer)
    return by_node


def _forbidden(problem: LayerAssignment) -> dict[str, set[str]]:
    by_node: dict[str, set[str]] = defaultdict(set)
    for layer, node in problem.instance.forbid:
        by_node[node].add(layer)
    return by_node
