"""How exact the links of a run are: each is tried before the first round, by the run's own transfers."""

from __future__ import annotations

from functools import partial

import torch
import torch.distributed as dist

from edgeplan.runtime.emulation.probing import probe
from edgeplan.runtime.snake.device.link import receive, send
from edgeplan.runtime.snake.device.node import NodeProcess


def probe_links(node: NodeProcess) -> None:
    """Try all links, one after another."""
    for source, target in node.job.hops:
        node.meet()
        if node.rank == source:
            probe(partial(_give, node, target), node.job.links.between(source, target))
        elif node.rank == target:
            achieved = probe(partial(_take, node, source), node.job.links.between(source, target))
            node.events.append({"event": "probed", "source": source, "target": target} | achieved)


def _give(node: NodeProcess, target: int, num_bytes: int) -> float:
    send([torch.zeros(num_bytes // 4)], node.starting_clock(), target)
    dist.recv(torch.empty(1), target)  # nothing else is under way when the next begins
    return 0.0


def _take(node: NodeProcess, source: int, num_bytes: int) -> float:
    received = receive([torch.zeros(num_bytes // 4)], source, node.shape(source, node.rank))
    dist.send(torch.zeros(1), source)
    return received.end_s - received.start_s
