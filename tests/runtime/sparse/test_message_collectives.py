"""Collectives made of messages: right sums, equal bits, and the seconds and bytes of equation (7)."""

from __future__ import annotations

import math

import pytest
from threaded_links import Network, ThreadLink, ThreadWay, on_every

pytest.importorskip("torch")

import torch
from torch import Tensor

from edgeplan.models.sparse_update import SparseUpdate
from edgeplan.models.sparse_update.examples import two_layers_two_boards
from edgeplan.models.sparse_update.network import CollectiveCosts
from edgeplan.runtime.emulation.links import Shape
from edgeplan.runtime.sparse.execution.exchange.tally import Tally
from edgeplan.runtime.sparse.execution.exchange.ways import begun

LATENCY_S, BIT_PER_S = 0.5, 64.0
MEMBERS = (4, 0, 3, 1, 6, 2, 5)


def values(rank: int, size: int) -> Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(rank))


def played(kind: str, members: tuple[int, ...], size: int) -> tuple[dict[int, Tensor], list[ThreadLink]]:
    network = Network(Shape(LATENCY_S, BIT_PER_S))
    links = {rank: network.link(rank) for rank in members}
    buffers = {rank: values(rank, size) for rank in members}

    def part(rank: int) -> None:
        way = ThreadWay(links[rank], flat=kind != "tree")
        way.expect(kind, size, members)(buffers[rank])

    on_every(members, part)
    return buffers, list(links.values())


def costs_of(num_devices: int, broadcast: str) -> tuple[CollectiveCosts, list[str]]:
    document = two_layers_two_boards().to_document()
    names = [f"device-{d}" for d in range(num_devices)]
    document["devices"] = [{"id": name, "memory_bytes": 10**6, "flops_per_s": 1e9} for name in names]
    document |= {"network": {"latency_s": LATENCY_S, "bit_per_s": BIT_PER_S}, "broadcast": broadcast}
    return CollectiveCosts(SparseUpdate.from_document(document).instance), names


@pytest.mark.parametrize("size", [0, 1, 5, 13, 84])
@pytest.mark.parametrize("g", [1, 2, 3, 6, 7])
def test_a_ring_gives_every_member_the_same_sum(g: int, size: int) -> None:
    members = MEMBERS[:g]
    buffers, _ = played("all_reduce", members, size)
    expected = sum(values(rank, size).double() for rank in members).float()
    for buffer in buffers.values():
        assert torch.equal(buffer, buffers[members[0]])
        torch.testing.assert_close(buffer, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [0, 1, 84])
@pytest.mark.parametrize("num_members", [1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize("kind", ["flat", "tree"])
def test_a_broadcast_gives_every_member_the_root_s_values(kind: str, num_members: int, size: int) -> None:
    members = MEMBERS[:num_members]
    buffers, _ = played(kind, members, size)
    assert all(torch.equal(buffer, values(members[0], size)) for buffer in buffers.values())


@pytest.mark.parametrize("size", [1, 5, 84])
@pytest.mark.parametrize("g", [2, 3, 7])
@pytest.mark.parametrize("kind", ["all_reduce", "flat", "tree"])
def test_the_bytes_sent_are_those_of_the_problem(kind: str, g: int, size: int) -> None:
    costs, names = costs_of(g, "flat")
    _, links = played(kind, MEMBERS[:g], size)
    cost = (
        costs.all_reduce(names, 4 * size)
        if kind == "all_reduce"
        else costs.broadcast(names[0], names[1:], 4 * size)
    )
    assert sum(link.uplink.sent_bytes for link in links) == cost.bytes_moved


@pytest.mark.parametrize("g", [2, 3, 7])
@pytest.mark.parametrize("kind", ["all_reduce", "flat", "tree"])
def test_messages_are_told_without_sending_any(kind: str, g: int) -> None:
    members = MEMBERS[:g]
    _, links = played(kind, members, 84)
    tallies = [Tally() for _ in members]
    for rank, tally in zip(members, tallies, strict=True):
        begun(tally, kind, 0, members, rank, flat=kind != "tree")(torch.empty(0))
    assert [tally.sent for tally in tallies] == [link.num_messages for link in links]
    assert sum(tally.received for tally in tallies) == sum(tally.sent for tally in tallies)


@pytest.mark.parametrize("g", [2, 3, 4, 7])
def test_a_ring_on_a_network_of_latency_and_rate_takes_equation_7(g: int) -> None:
    costs, names = costs_of(g, "flat")
    size = 84  # chunks of equal size
    _, links = played("all_reduce", MEMBERS[:g], size)
    assert [link.num_messages for link in links] == [2 * (g - 1)] * g
    expected_s = costs.all_reduce(names, 4 * size).seconds
    assert [link.now_s for link in links] == pytest.approx([expected_s] * g)


@pytest.mark.parametrize("num_members", [2, 3, 4, 5, 7])
def test_a_flat_broadcast_on_a_network_takes_equation_7(num_members: int) -> None:
    costs, names = costs_of(num_members, "flat")
    _, links = played("flat", MEMBERS[:num_members], 84)
    assert max(link.now_s for link in links) == pytest.approx(
        costs.broadcast(names[0], names[1:], 4 * 84).seconds
    )


@pytest.mark.parametrize("num_members", [2, 3, 4, 5, 7, 8])
def test_a_tree_takes_no_longer_than_equation_7_and_as_long_where_it_is_full(num_members: int) -> None:
    costs, names = costs_of(num_members, "tree")
    _, links = played("tree", tuple(range(num_members)), 84)
    taken_s = max(link.now_s for link in links)
    expected_s = costs.broadcast(names[0], names[1:], 4 * 84).seconds
    assert taken_s <= expected_s + 1e-9
    if math.log2(num_members).is_integer():
        assert taken_s == pytest.approx(expected_s)
