"""The order of the collectives, (8): what every device runs must fit into one order of all, or they deadlock.

A device runs its collectives one after another, and each waits for all of its members. So they all end if
and only if the orders of the devices, put together, have no cycle.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from edgeplan.models.raw import repeated_values
from edgeplan.models.sparse_update.plan import Collective

Sequences = Mapping[str, Sequence[int]]
"""Of every device the positions of the collectives that it runs, in its own order."""


def sequence_of(device: str, collectives: Sequence[Collective]) -> tuple[int, ...]:
    """Return the positions of the collectives that a device takes part in, in the order given.

    Examples
    --------
    >>> groups = [("a", "b"), ("b", "c"), ("a", "c")]
    >>> collectives = [Collective(kind="all_reduce", members=group, slices=()) for group in groups]
    >>> sequence_of("c", collectives)
    (1, 2)
    """
    return tuple(index for index, one in enumerate(collectives) if device in one.members)


def order_faults(collectives: Sequence[Collective], sequences: Sequences) -> Iterator[str]:
    """Yield why collectives would deadlock or meet the wrong partner; nothing where all of them end.

    Parameters
    ----------
    collectives
        The collectives that are to be run.
    sequences
        What each device runs.

    Examples
    --------
    >>> groups = [("a", "b"), ("b", "c"), ("a", "c")]
    >>> collectives = [Collective(kind="all_reduce", members=group, slices=()) for group in groups]
    >>> list(order_faults(collectives, {"a": [0, 2], "b": [0, 1], "c": [1, 2]}))
    []
    >>> list(order_faults(collectives, {"a": [2, 0], "b": [0, 1], "c": [1, 2]}))
    ['each of the collectives 0, 1, 2 waits for the one before it, the first for the last']
    """
    yield from _wrong_members(collectives, sequences)
    yield from _disagreements(collectives, sequences)
    yield from _cycle(sequences)


def _wrong_members(collectives: Sequence[Collective], sequences: Sequences) -> Iterator[str]:
    for device, own in sequences.items():
        expected = set(sequence_of(device, collectives))
        for index in sorted(expected - set(own)):
            yield f"{device} leaves out collective {index}, of which it is a member"
        for index in sorted(set(own) - expected):
            yield f"{device} runs collective {index}, of which it is no member"
        for _, index in repeated_values(own):
            yield f"{device} runs collective {index} more than once"
    for device in dict.fromkeys(name for one in collectives for name in one.members):
        if device not in sequences:
            yield f"{device} runs nothing, and is a member"


def _disagreements(collectives: Sequence[Collective], sequences: Sequences) -> Iterator[str]:
    """Members of one group that run its collectives in different orders would mix up their buffers."""
    groups: dict[frozenset[str], set[int]] = {}
    for index, one in enumerate(collectives):
        groups.setdefault(frozenset(one.members), set()).add(index)
    for members, indices in groups.items():
        orders = {
            device: [index for index in sequences[device] if index in indices]
            for device in sorted(members & sequences.keys())
        }
        first = next(iter(orders), None)
        for device, order in orders.items():
            if first is not None and sorted(order) == sorted(orders[first]) and order != orders[first]:
                theirs = _listed(orders[first])
                yield f"{device} runs collectives of a group in the order {_listed(order)}, {first} {theirs}"


def _cycle(sequences: Sequences) -> Iterator[str]:
    sorter: TopologicalSorter[int] = TopologicalSorter()
    for own in sequences.values():
        for before, after in pairwise(own):
            sorter.add(after, before)
    try:
        sorter.prepare()
    except CycleError as error:
        cycle: list[int] = error.args[1][:-1]
        begin = cycle.index(min(cycle))
        waiting = _listed(cycle[begin:] + cycle[:begin])
        yield f"each of the collectives {waiting} waits for the one before it, the first for the last"


def _listed(indices: Sequence[int]) -> str:
    return ", ".join(map(str, indices))
