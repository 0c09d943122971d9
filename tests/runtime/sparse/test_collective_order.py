"""The order of collectives: whatever would deadlock is found, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeplan.models.sparse_update.order import order_faults, sequence_of
from edgeplan.models.sparse_update.plan import Collective

DEVICES = "abcd"


def among(*groups: str) -> list[Collective]:
    return [Collective(kind="all_reduce", members=tuple(group), slices=()) for group in groups]


def own_sequences(collectives: Sequence[Collective]) -> dict[str, list[int]]:
    return {device: list(sequence_of(device, collectives)) for device in DEVICES}


def all_end(collectives: Sequence[Collective], sequences: Mapping[str, Sequence[int]]) -> bool:
    """Run them: a collective runs when it is the next one of all of its members."""
    waiting = {device: list(own) for device, own in sequences.items()}
    progress = True
    while progress and any(waiting.values()):
        progress = False
        for index, one in enumerate(collectives):
            if all(waiting[name][:1] == [index] for name in one.members):
                for name in one.members:
                    del waiting[name][0]
                progress = True
    return not any(waiting.values())


groups = st.lists(st.sets(st.sampled_from(DEVICES), min_size=1).map(lambda names: "".join(sorted(names))))


@given(groups)
def test_the_parts_of_one_order_fit_together(names: list[str]) -> None:
    collectives = among(*names)
    assert list(order_faults(collectives, own_sequences(collectives))) == []


@given(groups, st.data())
def test_any_orders_are_refused_exactly_where_they_deadlock(names: list[str], data: st.DataObject) -> None:
    collectives = among(*names)
    sequences = {
        device: data.draw(st.permutations(own)) for device, own in own_sequences(collectives).items()
    }
    assert (list(order_faults(collectives, sequences)) == []) == all_end(collectives, sequences)


def test_members_of_a_group_that_disagree_are_named() -> None:
    collectives = among("ab", "ab")
    sequences = own_sequences(collectives) | {"b": [1, 0]}
    faults = list(order_faults(collectives, sequences))
    assert faults == [
        "b runs collectives of a group in the order 1, 0, a 0, 1",
        "each of the collectives 0, 1 waits for the one before it, the first for the last",
    ]


def test_a_cycle_through_three_groups_is_found_though_no_group_disagrees() -> None:
    collectives = among("ab", "bc", "ca")
    sequences = {"a": [2, 0], "b": [0, 1], "c": [1, 2], "d": []}
    assert not all_end(collectives, sequences)
    assert list(order_faults(collectives, sequences)) == [
        "each of the collectives 0, 1, 2 waits for the one before it, the first for the last"
    ]


@pytest.mark.parametrize(
    ("sequences", "fault"),
    [
        ({"a": [0], "b": []}, "b leaves out collective 0, of which it is a member"),
        ({"a": [0], "b": [0], "c": [0]}, "c runs collective 0, of which it is no member"),
        ({"a": [0, 0], "b": [0]}, "a runs collective 0 more than once"),
        ({"a": [0]}, "b runs nothing, and is a member"),
    ],
)
def test_a_collective_that_not_exactly_its_members_run_is_told(
    sequences: dict[str, list[int]], fault: str
) -> None:
    assert fault in list(order_faults(among("ab"), sequences))
