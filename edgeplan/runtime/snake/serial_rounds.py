"""Rounds of the serial schedule: parameters travel from visit to visit, equations (6) and (7).

Peer: the stage before hands its parameters on; the first stage takes them from the last, in round 1 too,
since the round is a cycle. Server: every stage fetches them from the server and brings its own back.
"""

from __future__ import annotations

from edgeplan.runtime.processes.rehearsal import RECEIVE, SEND
from edgeplan.runtime.snake.course import Position
from edgeplan.runtime.snake.device.clock import RoundClock
from edgeplan.runtime.snake.device.link import receive, send
from edgeplan.runtime.snake.device.node import NodeProcess

IN, OUT = "in", "out"


def serial_round(node: NodeProcess, round_number: int, first_stage: int = 0) -> None:
    """Play this process's part in one round; the last stage's node scores the result.

    Parameters
    ----------
    node
        This process.
    round_number
        Of the round, from 1.
    first_stage
        Stages before it have been visited already.
    """
    node.heart.does(f"round {round_number}")
    node.meet()
    if node.rank == node.job.server_rank:
        _serve(node, round_number, first_stage)
    elif node.rank != node.job.giver_rank:
        by_server = node.job.server_rank is not None
        (_visit_by_server if by_server else _visit_by_peers)(node, round_number, first_stage)
    if node.rank == len(node.job.visits) - 1:
        node.score("snake", round_number)


def _visit_by_peers(node: NodeProcess, round_number: int, first_stage: int) -> None:
    stage, num_stages = node.rank, len(node.job.visits)
    if num_stages == 1:
        node.visit(round_number, node.starting_clock())
        return
    if stage == (first_stage - 1) % num_stages:
        _send_update(node, round_number, first_stage, node.starting_clock(), target=first_stage)
    if stage < first_stage:
        return
    clock = _receive_update(node, round_number, source=(stage - 1) % num_stages)
    node.visit(round_number, clock)
    if stage < num_stages - 1:
        _send_update(node, round_number, stage + 1, clock, target=stage + 1)


def _visit_by_server(node: NodeProcess, round_number: int, first_stage: int) -> None:
    server = node.job.server_rank
    if server is None or node.rank < first_stage:
        return
    clock = _receive_update(node, round_number, source=server)
    node.visit(round_number, clock)
    _send(node, round_number, node.rank, OUT, clock, target=server)


def _serve(node: NodeProcess, round_number: int, first_stage: int) -> None:
    clock, num_stages = node.starting_clock(), len(node.job.visits)
    for stage in range(first_stage, num_stages):
        _send_update(node, round_number, stage, clock, target=stage)
        clock = _receive(node, round_number, stage, OUT, source=stage)
        with clock.paused():
            node.keep(Position(round_number, stage).after(num_stages))


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
    node.begins(SEND, round_number)
    num_bytes = send(node.workload.parameters(_travelling(node, stage, hop)), clock, target)
    node.events.append(
        {
            "event": "sent",
            "rank": node.rank,
            "round": round_number,
            "stage": stage,
            "hop": hop,
            "bytes": num_bytes,
        }
    )


def _receive(node: NodeProcess, round_number: int, stage: int, hop: str, *, source: int) -> RoundClock:
    parameters = node.workload.parameters(_travelling(node, stage, hop))
    node.begins(RECEIVE, round_number)
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
