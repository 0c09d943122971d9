"""What listed collectives break of rules (5), (6) and (8), canonical and free."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from edgeplan.models.raw import repeated_values
from edgeplan.models.sparse_update.collectives import Key, buffers, key_of
from edgeplan.models.sparse_update.instance import SparseUpdateInstance
from edgeplan.models.sparse_update.plan import Collective
from edgeplan.models.sparse_update.slices import Updated
from edgeplan.models.violation import Violation

_RULE = "collectives"


def collective_violations(
    instance: SparseUpdateInstance, updated: Sequence[Updated], listed: Sequence[Collective]
) -> Iterator[Violation]:
    """Yield what the collectives of a plan break."""
    yield from _wrong_slices(updated, listed)
    if instance.collectives == "canonical":
        yield from _not_canonical(instance, updated, listed)
    carrying: dict[Key, list[tuple[int, Collective]]] = {}
    for index, collective in enumerate(listed):
        for key in dict.fromkeys(map(key_of, collective.slices)):
            carrying.setdefault(key, []).append((index, collective))
    for one in updated:
        yield from _route(instance, one, carrying.get(key_of(one.slice), []))


def _name(key: Key) -> str:
    layer, bias, low, high = key
    return f"the bias of {layer}" if bias else f"the slice of {layer} from {low:g} to {high:g}"


def _wrong_slices(updated: Sequence[Updated], listed: Sequence[Collective]) -> Iterator[Violation]:  # (5)
    known = {key_of(one.slice) for one in updated}
    for index, collective in enumerate(listed):
        keys, place = [key_of(part) for part in collective.slices], ("plan", "collectives", index, "slices")
        for k, key in enumerate(keys):
            if key not in known:
                message = f"{_name(key)} has no parameters, or lies not between two ratios in use"
                yield Violation.at(_RULE, (*place, k), message, need=None, have=key[0])
        for k, key in repeated_values(keys):
            message = f"{_name(key)} lies in the collective more than once"
            yield Violation.at(_RULE, (*place, k), message, need=1, have=2)


Shape = tuple[str, frozenset[str], frozenset[Key]]
"""Kind, members without the root, and slices: what canonical collectives are compared by."""


def _shape(collective: Collective) -> Shape:
    members = frozenset(collective.members) - {collective.root}
    return collective.kind, frozenset(members), frozenset(map(key_of, collective.slices))


def _canonical_shapes(instance: SparseUpdateInstance, updated: Sequence[Updated]) -> Counter[Shape]:
    ids, shapes = [device.id for device in instance.devices], Counter[Shape]()
    for buffer in buffers(instance, updated):
        members, slices = frozenset(ids[d] for d in buffer.members), frozenset(map(key_of, buffer.slices))
        if len(members) > 1:
            shapes["all_reduce", members, slices] += 1
        if len(members) < len(ids):
            shapes["broadcast", frozenset(ids) - members, slices] += 1
    return shapes


def _not_canonical(
    instance: SparseUpdateInstance, updated: Sequence[Updated], listed: Sequence[Collective]
) -> Iterator[Violation]:  # (6)
    missing = _canonical_shapes(instance, updated)
    for index, collective in enumerate(listed):
        shape = _shape(collective)
        if missing[shape] > 0:
            missing[shape] -= 1
            continue
        message = f"{_what(shape)} is none of the canonical collectives"
        yield Violation.at(_RULE, ("plan", "collectives", index), message, need=None, have=collective.kind)
    for shape, count in missing.items():
        if count > 0:
            message = f"{_what(shape)} is missing"
            yield Violation.at(_RULE, ("plan", "collectives"), message, need=count, have=0)


def _what(shape: Shape) -> str:
    kind, members, slices = shape
    what = "the all-reduce among" if kind == "all_reduce" else "the broadcast to"
    return f"{what} {', '.join(sorted(members))} of {', '.join(map(_name, sorted(slices)))}"


def _route(
    instance: SparseUpdateInstance, one: Updated, carrying: Sequence[tuple[int, Collective]]
) -> Iterator[Violation]:  # (6) to (8)
    """A slice is averaged over its devices first, and then known to all others.

    Parameters
    ----------
    carrying
        The collectives that it lies in, each with its place in the order.
    """
    key, place = key_of(one.slice), ("plan", "collectives")
    own = {instance.devices[d].id for d in one.members}
    reduces = [(i, c) for i, c in carrying if c.kind == "all_reduce"]
    knowing, ready = set(own), -1
    if len(reduces) > 1 or (not reduces and len(own) > 1):
        message = f"{_name(key)} lies in {len(reduces)} all-reduces, and must lie in one"
        yield Violation.at(_RULE, place, message, need=1, have=len(reduces))
    for i, collective in reduces[:1]:
        knowing, ready = set(collective.members), i
        absent = sorted(own - knowing)
        if absent:
            message = f"the all-reduce of {_name(key)} leaves out {', '.join(absent)}, which update it"
            yield Violation.at(_RULE, (*place, i, "members"), message, need=absent[0], have=None)
    told: Counter[str] = Counter()
    for i, collective in carrying:
        if collective.kind != "broadcast":
            continue
        told.update(name for name in collective.members if name != collective.root)
        if collective.root not in knowing:
            message = f"{collective.root} does not know {_name(key)}, and broadcasts it"
            yield Violation.at(_RULE, (*place, i, "root"), message, need=None, have=collective.root)
        if i < ready:
            message = f"{_name(key)} is broadcast before it is averaged"
            yield Violation.at(_RULE, (*place, i), message, need=ready, have=i)
    for device in instance.devices:
        if device.id not in knowing and told[device.id] != 1:
            message = f"{device.id} gets {_name(key)} from {told[device.id]} broadcasts, and must from one"
            yield Violation.at(_RULE, place, message, need=1, have=told[device.id])
