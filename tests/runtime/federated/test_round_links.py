"""The prediction of shared links beside the switch of the kernel's emulation, frame by frame."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from hypothesis import given
from hypothesis import strategies as st

from edgeplan.models.federated.transfers import downloads_s, uploads_s
from edgeplan.models.network import Network, Node
from edgeplan.runtime.emulation.links import Links
from edgeplan.runtime.emulation.switch import Schedule
from edgeplan.runtime.federated.pair import PIECES

FRAME = 10_000
NUM_BYTES = PIECES * FRAME
rates = st.floats(1e5, 1e7)


def network_of(hub: tuple[float, float], clients: list[tuple[float, float]]) -> Network:
    nodes = [
        Node(
            id=str(k),
            flops_per_s=1,
            memory_bytes=1,
            uplink_bit_per_s=up,
            downlink_bit_per_s=down,
            latency_s=0.01,
        )
        for k, (up, down) in enumerate([*clients, hub])
    ]
    return Network(nodes=tuple(nodes))


def carried_s(network: Network, frames: list[tuple[int, int, float]]) -> dict[tuple[int, int], float]:
    """Return when the last frame from a node to another has arrived; frames are handed over in this order."""
    schedule = Schedule(Links.of(network, [node.id for node in network.nodes]))
    sent = [(schedule.sent(a, b, FRAME, now_s=now_s), a, b) for a, b, now_s in frames]
    arrivals: dict[tuple[int, int], float] = {}
    for frame, source, target in sorted(sent, key=lambda one: one[0].enter_s):
        arrivals[source, target] = schedule.arrival_s(frame)
    return arrivals


@given(st.tuples(rates, rates), st.lists(st.tuples(rates, rates), min_size=1, max_size=5))
def test_pieces_in_turn_bring_the_last_client_its_parameters_when_predicted(
    hub: tuple[float, float], clients: list[tuple[float, float]]
) -> None:
    network, server = network_of(hub, clients), len(clients)
    frames = [(server, k, 0.0) for _ in range(PIECES) for k in range(server)]
    predicted = downloads_s(network, str(server), [str(k) for k in range(server)], NUM_BYTES)
    carried = carried_s(network, frames)
    slowest = min(hub[0], *(down for _, down in clients))
    assert max(carried.values()) == pytest.approx(
        max(predicted.values()), abs=(server + 1) * 8 * FRAME / slowest
    )


@given(st.floats(1e5, 1e7), st.integers(1, 5))
def test_pieces_in_turn_bring_equal_clients_their_parameters_one_piece_after_another(
    rate: float, num_clients: int
) -> None:
    network, server = network_of((rate, rate), [(1e9, 1e9)] * num_clients), num_clients
    frames = [(server, k, 0.0) for _ in range(PIECES) for k in range(server)]
    predicted = downloads_s(network, str(server), [str(k) for k in range(server)], NUM_BYTES)
    for (_, k), arrival_s in carried_s(network, frames).items():
        assert arrival_s == pytest.approx(predicted[str(k)], abs=num_clients * 8 * FRAME / rate)


@given(
    st.tuples(rates, rates),
    st.lists(st.tuples(rates, rates, st.floats(0.0, 1.0)), min_size=1, max_size=5),
)
def test_the_last_update_arrives_when_predicted(
    hub: tuple[float, float], clients: list[tuple[float, float, float]]
) -> None:
    network, server = network_of(hub, [client[:2] for client in clients]), len(clients)
    begins_s = {str(k): begin_s for k, (_, _, begin_s) in enumerate(clients)}
    frames = [(k, server, client[2]) for k, client in enumerate(clients) for _ in range(PIECES)]
    predicted = uploads_s(network, str(server), begins_s, NUM_BYTES)
    carried = carried_s(network, frames)
    alone_s = max(NUM_BYTES * 8 / min(client[0], hub[1]) + client[2] + 0.02 for client in clients)
    assert max(carried.values()) >= alone_s - 1e-9
    slowest = min(hub[1], *(client[0] for client in clients))
    assert max(carried.values()) == pytest.approx(
        max(predicted.values()), abs=(server + 1) * 8 * FRAME / slowest
    )
