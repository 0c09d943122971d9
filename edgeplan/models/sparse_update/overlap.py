"""When collectives begin and end where a device goes on to its next one at once, equation (9)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from edgeplan.models.sparse_update.collectives import cost_of
from edgeplan.models.sparse_update.instance import SparseUpdateInstance
from edgeplan.models.sparse_update.network import CollectiveCosts
from edgeplan.models.sparse_update.plan import Collective
from edgeplan.models.sparse_update.slices import Updated


class Span(NamedTuple):
    """Begin and end in seconds from the begin of the aggregation."""

    begin_s: float
    end_s: float


def overlapped(
    instance: SparseUpdateInstance, collectives: Sequence[Collective], updated: Iterable[Updated]
) -> list[Span]:
    """Return when each collective begins and ends; one without others to tell takes no time."""
    costs, updated = CollectiveCosts(instance), tuple(updated)
    free_s = dict.fromkeys((device.id for device in instance.devices), 0.0)
    spans = []
    for one in collectives:
        givers = one.members if one.root is None else (one.root,)
        begin_s = max(free_s[name] for name in givers)
        end_s = begin_s + cost_of(instance, [one], updated).seconds
        spans.append(Span(begin_s, end_s))
        if len(one.members) < 2:
            continue
        free_s |= {name: max(free_s[name], end_s) for name in one.members}
        if one.root is not None:
            receivers = [name for name in one.members if name != one.root]
            free_s[one.root] = end_s - costs.broadcast_latency_s(one.root, receivers)
    return spans
