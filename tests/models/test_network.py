"""Transfer times by hand: latency plus eight times the bytes over the rate."""

from __future__ import annotations

import math

from small_instances import node

from edgeplan.models.network import Network


def network(*links: dict[str, object]) -> Network:
    sender = node("a", uplink_bit_per_s=8e6, downlink_bit_per_s=1e6, latency_s=0.5)
    receiver = node("b", uplink_bit_per_s=2e6, downlink_bit_per_s=4e6, latency_s=0.25)
    return Network.model_validate({"nodes": [sender, receiver, node("c")], "links": links})


def test_the_slower_of_uplink_and_downlink_holds_and_latencies_add() -> None:
    # a to b: min(8, 4) Mbit/s; b to a: min(2, 1) Mbit/s
    assert network().transfer_s("a", "b", 1_000_000) == 0.75 + 2.0
    assert network().transfer_s("b", "a", 1_000_000) == 0.75 + 8.0


def test_an_unlimited_end_leaves_the_rate_to_the_other() -> None:
    assert network().transfer_s("a", "c", 1_000_000) == 0.5 + 1.0
    assert network().transfer_s("c", "a", 1_000_000) == 0.5 + 8.0


def test_two_unlimited_ends_cost_nothing() -> None:
    assert network().transfer_s("c", "c", 10**15) == 0.0
    assert network().latency_and_rate("c", "c") == (0.0, math.inf)


def test_no_bytes_still_take_the_latency() -> None:
    assert network().transfer_s("a", "b", 0) == 0.75


def test_a_link_takes_the_place_of_the_nodes_figures_in_its_direction_alone() -> None:
    linked = network({"source": "a", "target": "b", "bit_per_s": 1e6, "latency_s": 0.125})
    assert linked.transfer_s("a", "b", 1_000_000) == 0.125 + 8.0
    assert linked.transfer_s("b", "a", 1_000_000) == 0.75 + 8.0


def test_a_link_without_figures_is_unlimited_and_without_latency() -> None:
    assert network({"source": "a", "target": "b"}).transfer_s("a", "b", 1_000_000) == 0.0


def test_samples_come_from_samples_or_else_from_label_counts() -> None:
    held = [{"samples": 3, "label_counts": [1, 2]}, {"label_counts": [4, 5]}, {"samples": 7}, {}]
    nodes = [node(str(index), **figures) for index, figures in enumerate(held)]
    assert [n.num_samples for n in Network.model_validate({"nodes": nodes}).nodes] == [3, 9, 7, 0]
