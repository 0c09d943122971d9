"""What a schedule breaks that shows only across its members, or beside its instance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edgeplan.models.faults import Fault, Path
from edgeplan.models.layer_assignment.instance import LayerAssignmentInstance
from edgeplan.models.raw import items_at, member, number_at, repeated_values, string_at


def schedule_faults(raw: Any, instance: LayerAssignmentInstance) -> Iterator[Fault]:
    """Yield the faults of a raw schedule that no single member shows."""
    ids = set(instance.network.index_of)
    server = string_at(raw, "server")
    if server is not None and server not in ids:
        yield Fault(("server",), "must be a node's id; no node has this id", server)
    if member(raw, "server") is None and instance.server is None:
        rule = "must name the node that averages, the instance has no server; add it"
        yield Fault(("server",), rule)
    for index, entry in enumerate(items_at(raw, "rounds")):
        clients, path = items_at(entry, "clients"), ("rounds", index, "clients")
        yield from _name_faults(clients, ids, server or instance.server, path)
        yield from _weight_faults(clients, path)


def _name_faults(clients: list[Any], ids: set[str], server: str | None, path: Path) -> Iterator[Fault]:
    names = [string_at(client, "node") for client in clients]
    for index, name in repeated_values(names):
        yield Fault((*path, index, "node"), "takes part in this round already; keep one of them", name)
    for index, name in enumerate(names):
        if name is not None and name == server:
            rule = "must not be the server, it trains nothing; name another node"
            yield Fault((*path, index, "node"), rule, name)
        elif name is not None and name not in ids:
            yield Fault((*path, index, "node"), "must be a node's id; no node has this id", name)


def _weight_faults(clients: list[Any], path: Path) -> Iterator[Fault]:
    weights = [number_at(client, "weight") for client in clients]
    given = [weight for weight in weights if weight is not None]
    if given and len(given) < len(clients):
        for index, client in enumerate(clients):
            if isinstance(client, dict) and client.get("weight") is None:
                rule = "must be given by all clients of a round or by none; add it"
                yield Fault((*path, index, "weight"), rule)
    elif given and all(weight == 0 for weight in given):
        yield Fault(path, "must have one positive weight; give one")
