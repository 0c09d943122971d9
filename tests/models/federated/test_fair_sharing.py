from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeplan.models.federated.sharing import Flow, fair_rates, finishes_s
from edgeplan.models.federated.transfers import downloads_s, uploads_s
from edgeplan.models.network import Link, Network, Node

rates = st.floats(0.5, 50.0) | st.just(math.inf)
flows = st.lists(st.builds(Flow, st.floats(0.0, 5.0), st.floats(0.0, 100.0), rates), min_size=1, max_size=6)
capacities = st.floats(0.5, 50.0) | st.just(math.inf)


@given(st.lists(rates, min_size=1, max_size=6), capacities)
def test_who_has_less_than_another_can_take_no_more_and_nothing_is_left_over(
    most: list[float], capacity: float
) -> None:
    shares = fair_rates(most, capacity)
    assert sum(shares) <= capacity * (1 + 1e-12)
    for share, limit in zip(shares, most, strict=True):
        assert share <= limit
        assert share == limit or share >= max(shares) * (1 - 1e-12)
    if sum(most) > capacity:
        assert sum(shares) == pytest.approx(capacity)
    else:
        assert shares == most


def moved_bits(all_flows: list[Flow], capacity: float, until_s: float) -> list[float]:
    """Bits that each transfer has moved, by small steps of time."""
    steps = 4000
    moved = [0.0] * len(all_flows)
    for step in range(steps):
        now_s = until_s * (step + 0.5) / steps
        active = [k for k, flow in enumerate(all_flows) if flow.enter_s <= now_s and moved[k] < flow.num_bits]
        most = [all_flows[k].most_bit_per_s for k in active]
        for k, rate in zip(active, fair_rates(most, capacity), strict=True):
            moved[k] += rate * until_s / steps
    return moved


def test_transfers_end_when_small_steps_of_time_have_moved_their_bits() -> None:
    some = [Flow(0.0, 30.0, 4.0), Flow(1.0, 20.0, 20.0), Flow(2.5, 50.0, 9.0), Flow(20.0, 6.0, 9.0)]
    ends = finishes_s(some, 10.0)
    for k, end_s in enumerate(ends):
        before, after = (moved_bits(some, 10.0, factor * end_s)[k] for factor in (0.99, 1.01))
        assert before < some[k].num_bits <= after


@given(flows, capacities)
def test_what_enters_later_changes_no_end_before(some: list[Flow], capacity: float) -> None:
    ends = finishes_s(some, capacity)
    later_s = sorted(ends)[len(ends) // 2]
    with_later = finishes_s([*some, Flow(later_s, 40.0, math.inf)], capacity)
    for before, after in zip(ends, with_later, strict=False):
        if before <= later_s:
            assert after == pytest.approx(before)
        else:
            assert after >= before - 1e-9


@given(flows, capacities, st.floats(0.1, 10.0))
def test_scaling_all_bits_and_rates_and_the_order_of_transfers_change_nothing(
    some: list[Flow], capacity: float, factor: float
) -> None:
    ends = finishes_s(some, capacity)
    scaled = [Flow(one.enter_s, factor * one.num_bits, factor * one.most_bit_per_s) for one in some]
    assert finishes_s(scaled, factor * capacity) == pytest.approx(ends)
    assert finishes_s(some[::-1], capacity)[::-1] == pytest.approx(ends)


@given(st.lists(st.tuples(st.floats(1.0, 50.0), st.floats(0.0, 2.0)), min_size=1, max_size=4))
def test_one_at_a_time_takes_what_a_transfer_alone_takes(ends: list[tuple[float, float]]) -> None:
    hub = Node(
        id="hub", flops_per_s=1, memory_bytes=1, uplink_bit_per_s=7.0, downlink_bit_per_s=9.0, latency_s=0.25
    )
    others = [
        Node(id=str(k), flops_per_s=1, memory_bytes=1, uplink_bit_per_s=rate, latency_s=latency_s)
        for k, (rate, latency_s) in enumerate(ends)
    ]
    network = Network(nodes=(hub, *others))
    for node in others:
        down, up = downloads_s(network, "hub", [node.id], 3), uploads_s(network, "hub", {node.id: 5.0}, 3)
        assert down[node.id] == pytest.approx(network.transfer_s("hub", node.id, 3))
        assert up[node.id] - 5.0 == pytest.approx(network.transfer_s(node.id, "hub", 3))


def test_a_pair_with_a_link_of_its_own_shares_nothing() -> None:
    nodes = [Node(id=name, flops_per_s=1, memory_bytes=1) for name in "ab"]
    hub = Node(id="hub", flops_per_s=1, memory_bytes=1, uplink_bit_per_s=8.0, downlink_bit_per_s=8.0)
    own = (
        Link(source="hub", target="a", bit_per_s=4.0, latency_s=1.0),
        Link(source="a", target="hub", bit_per_s=2.0),
    )
    network = Network(nodes=(hub, *nodes), links=own)
    assert downloads_s(network, "hub", ["a", "b"], 2) == {"a": 5.0, "b": 2.0}
    assert uploads_s(network, "hub", {"a": 0.0, "b": 0.0}, 2) == {"a": 8.0, "b": 2.0}


def test_the_way_up_reaches_the_server_s_link_after_the_latency() -> None:
    hub = Node(id="hub", flops_per_s=1, memory_bytes=1, downlink_bit_per_s=8.0)
    far = Node(id="far", flops_per_s=1, memory_bytes=1, latency_s=2.0)
    near = Node(id="near", flops_per_s=1, memory_bytes=1)
    network = Network(nodes=(hub, far, near))
    # near alone until 2 s, then 2 of its 3 byte are left: half each until 6 s, far's last byte alone.
    assert uploads_s(network, "hub", {"far": 0.0, "near": 1.0}, 3) == {"far": 7.0, "near": 6.0}
