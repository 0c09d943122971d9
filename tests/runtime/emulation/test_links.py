from __future__ import annotations

import math

import pytest

pytest.importorskip("torch")

from hypothesis import given
from hypothesis import strategies as st

from edgeplan.models.network import Link, Network, Node
from edgeplan.runtime.emulation.links import Links, Shape
from edgeplan.runtime.emulation.switch import Schedule

IDS = ["a", "b", "c"]


def network() -> Network:
    rates = [(1e6, None), (2e6, 4e6), (None, 3e6)]
    nodes = tuple(
        Node(
            id=name, flops_per_s=1, memory_bytes=1, uplink_bit_per_s=up, downlink_bit_per_s=down, latency_s=s
        )
        for name, (up, down), s in zip(IDS, rates, (0.1, 0.0, 0.2), strict=True)
    )
    return Network(nodes=nodes, links=(Link(source="a", target="c", bit_per_s=5e6, latency_s=0.7),))


def test_links_are_those_of_the_network() -> None:
    links = Links.of(network(), IDS)
    for source, one in enumerate(IDS):
        for target, other in enumerate(IDS):
            if source != target:
                assert links.between(source, target) == Shape(*network().latency_and_rate(one, other))


def test_links_go_to_json_and_back() -> None:
    links = Links.of(network(), IDS)
    assert Links.from_document(links.to_document()) == links
    assert links.to_document()["uplink_bit_per_s"] == [1e6, 2e6, None]


def test_on_slower_links_everything_takes_as_many_times_as_long() -> None:
    links, slower = Links.of(network(), IDS), Links.of(network(), IDS).slower(3)
    for pair in ((0, 1), (0, 2), (1, 0), (2, 1)):
        expected = 3 * links.between(*pair).transfer_s(10**6)
        assert slower.between(*pair).transfer_s(10**6) == pytest.approx(expected)


sizes = st.lists(st.integers(0, 100_000), min_size=1, max_size=20)


def arrivals_s(links: Links, frames: list[tuple[int, int, int]], now_s: float = 0.0) -> list[float]:
    """Moments at which frames, sent at once, arrive: on the receiver's side as they ask for it."""
    schedule = Schedule(links)
    sent = [schedule.sent(*frame, now_s=now_s) for frame in frames]
    arrivals = [one.last_s for one in sent]
    for index in sorted(range(len(sent)), key=lambda index: (sent[index].enter_s, index)):
        if schedule.waits(*frames[index][:2]):
            arrivals[index] = schedule.arrival_s(sent[index])
    return arrivals


@given(sizes, st.sampled_from([(0, 1), (0, 2), (1, 2), (2, 1)]))
def test_frames_sent_at_once_arrive_as_one_transfer_of_their_bytes(
    frames: list[int], pair: tuple[int, int]
) -> None:
    links = Links.of(network(), IDS)
    arrivals = arrivals_s(links, [(*pair, size) for size in frames], now_s=5.0)
    assert arrivals == sorted(arrivals)
    assert arrivals[-1] - 5.0 == pytest.approx(links.between(*pair).transfer_s(sum(frames)))


def test_frames_to_several_nodes_share_the_uplink_and_frames_to_one_its_downlink() -> None:
    links = Links((8e3, 8e3, 8e3), (math.inf, math.inf, 8e3), (0.0, 0.0, 0.0), {})
    assert arrivals_s(links, [(0, 1, 1000), (0, 2, 1000)]) == [1.0, 2.0]
    assert arrivals_s(links, [(0, 2, 1000), (1, 2, 1000)]) == [1.0, 2.0]


def test_a_slow_sender_does_not_keep_another_s_frames_from_a_downlink_that_is_free() -> None:
    links = Links((1e3, 8e3, 8e3), (math.inf, math.inf, 8e3), (0.0, 0.0, 0.0), {})
    slow, fast = [(0, 2, 1000)] * 3, [(1, 2, 1000)] * 3
    assert arrivals_s(links, slow + fast) == [8.0, 16.0, 24.0, 1.0, 2.0, 3.0]


def test_a_pair_with_a_link_of_its_own_shares_it_with_nobody() -> None:
    links = Links((8e3, 8e3), (8e3, 8e3), (0.0, 0.0), {(0, 1): Shape(0.5, 16e3)})
    assert arrivals_s(links, [(0, 1, 1000), (1, 0, 1000)]) == [1.0, 1.0]


def test_both_directions_of_a_half_duplex_pair_use_its_band_in_turn() -> None:
    pairs = {(0, 1): Shape(0.5, 8e3), (1, 0): Shape(0.5, 8e3)}
    links = Links((math.inf,) * 2, (math.inf,) * 2, (0.0,) * 2, pairs, half_duplex=True)
    frames = [(0, 1, 1000), (1, 0, 1000), (0, 1, 1000), (1, 0, 0)]
    assert arrivals_s(links, frames) == [1.5, 2.5, 3.5, 0.5]  # the last one is an acknowledgement


def test_a_half_duplex_pair_stays_so_in_json_and_when_slower() -> None:
    links = Links((1e6,) * 2, (1e6,) * 2, (0.0,) * 2, {(0, 1): Shape(0.0, 1e6)}, half_duplex=True)
    assert Links.from_document(links.to_document()) == links
    assert links.slower(2).half_duplex
