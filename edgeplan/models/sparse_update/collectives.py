"""The canonical collectives of updates, equation (6), and what collectives cost."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edgeplan.models.sparse_update.instance import SparseUpdateInstance
from edgeplan.models.sparse_update.network import CollectiveCost, CollectiveCosts
from edgeplan.models.sparse_update.plan import Collective, Slice
from edgeplan.models.sparse_update.slices import Updated


@dataclass(frozen=True)
class Buffer:
    """Slices that travel together: they have the same devices.

    Parameters
    ----------
    members
        Indices of the devices that update them, G.
    slices
        Which.
    parameters
        Of all of them.
    """

    members: tuple[int, ...]
    slices: tuple[Slice, ...]
    parameters: int


def buffers(instance: SparseUpdateInstance, updated: Iterable[Updated]) -> list[Buffer]:
    """Put slices into buffers: by devices with `fuse`, else each alone."""
    if not instance.fuse:
        return [Buffer(one.members, (one.slice,), one.parameters) for one in updated]
    groups: dict[tuple[int, ...], list[Updated]] = {}
    for one in updated:
        groups.setdefault(one.members, []).append(one)
    return [
        Buffer(members, tuple(one.slice for one in group), sum(one.parameters for one in group))
        for members, group in groups.items()
    ]


def canonical_collectives(instance: SparseUpdateInstance, updated: Iterable[Updated]) -> list[Collective]:
    """Return the all-reduce and the broadcast of every buffer, one buffer after another."""
    costs, ids, found = CollectiveCosts(instance), [device.id for device in instance.devices], []
    for buffer in buffers(instance, updated):
        members = tuple(ids[d] for d in buffer.members)
        inside = set(members)
        receivers = tuple(name for name in ids if name not in inside)
        if len(members) > 1:
            found.append(Collective(kind="all_reduce", members=members, slices=buffer.slices))
        if receivers:
            num_bytes = instance.training.gradient_bytes * buffer.parameters
            root = costs.best_root(members, receivers, num_bytes)
            names = (root, *receivers)
            found.append(Collective(kind="broadcast", root=root, members=names, slices=buffer.slices))
    return found


def cost_of(
    instance: SparseUpdateInstance, collectives: Sequence[Collective], updated: Iterable[Updated]
) -> CollectiveCost:
    """Sum what collectives take, one after another; slices that nobody updates are empty."""
    costs, sizes = CollectiveCosts(instance), {key_of(one.slice): one.parameters for one in updated}
    parts = []
    for one in collectives:
        num_bytes = instance.training.gradient_bytes * sum(sizes.get(key_of(part), 0) for part in one.slices)
        if one.kind == "all_reduce":
            parts.append(costs.all_reduce(one.members, num_bytes))
        elif one.root is not None and len(one.members) > 1:
            receivers = [name for name in one.members if name != one.root]
            parts.append(costs.broadcast(one.root, receivers, num_bytes))
    return CollectiveCost(
        math.fsum(part.seconds for part in parts), math.fsum(part.bytes_moved for part in parts)
    )


Key = tuple[str, bool, float, float]
"""What tells a slice from others."""


def key_of(part: Slice) -> Key:
    """Return what tells a slice from others."""
    return part.layer, part.bias, part.from_ or 0.0, part.to or 0.0
