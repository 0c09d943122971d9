"""Federated averaging (McMahan et al., AISTATS 2017, arXiv 1602.05629) on the same nodes and shards.

Every node trains the whole network for the same local steps on the same batches as in the run, all at once;
then the parameters are averaged, weighted by samples. With transport peer the first stage's process plays
the server beside its own part; what it would send itself is counted as if the server were apart.
"""

from __future__ import annotations

import torch

from edgeplan.runtime.federated.averaging import weighted_mean
from edgeplan.runtime.learning.workload import assign, flatten
from edgeplan.runtime.snake.device.link import receive, send
from edgeplan.runtime.snake.device.node import NodeProcess


def federated_round(node: NodeProcess, round_number: int) -> None:
    """Play this process's part in one round; the averaging process scores the result."""
    node.meet()
    averager = 0 if node.job.server_rank is None else node.job.server_rank
    if node.rank == averager:
        _average(node, round_number)
        node.score("fedavg", round_number)
    else:
        receive(_everything(node), averager, None)
        _train(node, round_number)
        send(_everything(node), node.starting_clock(), averager)


def _everything(node: NodeProcess) -> list[torch.nn.Parameter]:
    return node.workload.parameters(node.workload.layers)


def _train(node: NodeProcess, round_number: int) -> None:
    node.train(node.workload.layers, round_number)


def _average(node: NodeProcess, round_number: int) -> None:
    stages = range(len(node.job.visits))
    clients = [stage for stage in stages if stage != node.rank]
    moved = [send(_everything(node), node.starting_clock(), client) for client in clients]
    if node.shard is not None:
        _train(node, round_number)
    returned = {node.rank: flatten(_everything(node))} if node.shard is not None else {}
    for client in clients:
        moved.append(receive(_everything(node), client, None).num_bytes)
        returned[client] = flatten(_everything(node))
    samples = [node.job.num_samples(stage) for stage in stages]
    assign(_everything(node), weighted_mean([returned[stage] for stage in stages], samples))
    own_bytes = 0 if node.shard is None else 2 * returned[node.rank].nbytes
    node.events.append({"event": "averaged", "round": round_number, "bytes": sum(moved) + own_bytes})
