"""Rounds of the serial schedule: parameters travel from visit to visit, equations (6) and (7).

Peer: the stage before hands its parameters on; the first stage takes them from the last, in round 1 too,
since the round is a cycle. Server: every stage fetches them from the server and brings its own back.
"""

from __future__ import annotations

import torch.distributed as dist

from edgeplan.runtime.snake.device.clock import RoundClock
from edgeplan.runtime.snake.device.link import receive, send
from edgeplan.runtime.snake.device.node import NodeProcess

IN, OUT = "in", "out"


def serial_round(node: NodeProcess, round_number: int) -> None:
    """Play this process's part in one round; the last stage's node scores the result."""
    dist.barrier()
    if node.rank == node.job.server_rank:
        _serve(node, round_number)
    elif node.job.server_rank is not None:
        _visit_by_server(node, round_number, node.job.server_rank)
    else:
        _visit_by_peers(node, round_number)
    if node.rank == len(node.job.visits) - 1:
        node.score("snake", round_number)


def _visit_by_peers(node: NodeProcess, round_number: int) -> None:
    stage, last = node.rank, len(node.job.visits) - 1
    if last == 0:
        node.visit(round_number, node.starting_clock())
        return
    if stage == last:
        _send_update(node, round_number, 0, node.starting_clock(), target=0)
    clock = _receive_update(node, round_number, source=last if stage == 0 else stage - 1)
    node.visit(round_number, clock)
    if stage < last:
        _send_update(node, round_number, stage + 1, clock, target=stage + 1)


def _visit_by_server(node: NodeProcess, round_number: int, server: int) -> None:
    clock = _receive_update(node, round_number, source=server)
    node.visit(round_number, clock)
    _send(node, round_number, node.rank, OUT, clock, target=server)


def _serve(node: NodeProcess, round_number: int) -> None:
    clock = node.starting_clock()
    for stage in range(len(node.job.visits)):
        _send_update(node, round_number, stage, clock, target=stage)
        clock = _receive(node, round_number, stage, OUT, source=stage)


def _send_update(node: NodeProcess, round_number: int, stage: int, clock: RoundClock, *, target: int) -> None:
    _send(node, round_number, stage, IN, clock, target=target)


def _receive_update(node: NodeProcess, round_number: int, *, source: int) -> RoundClock:
    return _receive(node, round_number, node.rank, IN, source=source)


def _travelling(node: NodeProcess, stage: int, hop: str) -> tuple[str, ...]:
    visit = node.job.visits[stage]
    return visit.update if hop == IN else visit.trained


def _send(
    node: NodeProcess, round_number: int, stage: int, hop: str, clock: RoundClock, *, target: int
) -> None:
    num_bytes = send(node.workload.parameters(_travelling(node, stage, hop)), clock, target)
    node.events.append(
        {"event": "sent", "round": round_number, "stage": stage, "hop": hop, "bytes": num_bytes}
    )


def _receive(node: NodeProcess, round_number: int, stage: int, hop: str, *, source: int) -> RoundClock:
    parameters = node.workload.parameters(_travelling(node, stage, hop))
    received = receive(parameters, source, node.shape(source, node.rank))
    node.events.append(
        {
            "event": "received",
            "round": round_number,
            "stage": stage,
            "hop": hop,
            "bytes": received.num_bytes,
            "start_s": received.start_s,
            "end_s": received.end_s,
        }
    )
    return received.clock
