"""The methods of learning.py, all on one network in this process: each yields the bytes of every round.

A run moves parameters between processes and changes no bit of them, so a visit may as well be computed here:
the trained parameters are those of ``edgeplan run`` with the same settings (a test has this). Every method
trains for the same local steps on the same batches of the same shards, with a fresh optimizer a visit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from benchmarks.rivals.split_learning import SplitNetwork
from edgeplan.runtime.learning.memory import peak_of_training
from edgeplan.runtime.learning.training import Score, Shard, evaluate
from edgeplan.runtime.learning.workload import Workload, assign, flatten
from edgeplan.runtime.snake.device.node import NodeProcess
from edgeplan.runtime.snake.federated import weighted_mean
from edgeplan.runtime.snake.job import TEST, Job

SNAKE, DISTILLING = "Snake", "Snake, distilling"
FEDERATED, SPLIT = "federated averaging", "split learning"
CLIENT_UNITS = {"digits": 5, "topics": 2}
"""Modules of the network that a client of split learning computes: to the first pooling, or one block."""


@dataclass
class OneProcess:
    """All nodes of a job, on one network."""

    job: Job
    workload: Workload = field(init=False)
    nodes: list[NodeProcess] = field(init=False)

    def __post_init__(self) -> None:
        """Build the network and read the shards."""
        self.workload = self.job.seeded_workload()
        stages = range(len(self.job.visits))
        self.nodes = [replace(NodeProcess.of(self.job, k), workload=self.workload) for k in stages]
        self._test = Shard(self.job.read_samples(TEST), self.job.upscaled_to)

    @property
    def round_numbers(self) -> range:
        """Numbers of the rounds, from 1."""
        return range(1, self.job.settings.rounds + 1)

    def score(self) -> Score:
        """Evaluate the network as it is."""
        return evaluate(self.workload.module, self._test)

    def peak_bytes(self, rank: int, layers: tuple[str, ...], *, as_snake: bool) -> int:
        """Measure the peak of the first steps of a visit to a node."""
        node = self.nodes[rank]
        return peak_of_training(
            self.workload,
            layers,
            node.batches(0),
            optimizer_bytes=node.training.optimizer_bytes,
            learning_rate=self.job.settings.learning_rate,
            **({"objective_of": node.objective_of} if as_snake else {}),
        )


def snake(all_nodes: OneProcess) -> Iterator[int]:
    """Let the nodes train their layers one after another."""
    job = all_nodes.job
    moved = job.problem.cost(job.plan).bytes_moved
    for number in all_nodes.round_numbers:
        for node, planned in zip(all_nodes.nodes, job.visits, strict=True):
            node.train(planned.trained, number, node.objective_of)
        yield int(moved)


def federated(all_nodes: OneProcess) -> Iterator[int]:
    """Let all nodes train everything from the same start, and average."""
    everything = all_nodes.workload.parameters(all_nodes.workload.layers)
    samples = [all_nodes.job.num_samples(node.rank) for node in all_nodes.nodes]
    for number in all_nodes.round_numbers:
        start, returned = flatten(everything), []
        for node in all_nodes.nodes:
            assign(everything, start)
            node.train(all_nodes.workload.layers, number)
            returned.append(flatten(everything))
        assign(everything, weighted_mean(returned, samples))
        yield 2 * len(returned) * start.nbytes


def split(all_nodes: OneProcess) -> Iterator[int]:
    """Let the clients train the first layers one after another, and the server the others."""
    network = _split(all_nodes)
    all_nodes.workload.train_only(all_nodes.workload.layers)
    servers = all_nodes.nodes[0].optimizer(list(network.server.parameters()), 1)
    for number in all_nodes.round_numbers:
        moved = 0
        for node in all_nodes.nodes:
            clients = node.optimizer(list(network.client.parameters()), number)
            moved += network.handed_on_bytes
            moved += sum(network.step(batch, (clients, servers)) for batch in node.batches(number - 1))
        yield moved


def _split(all_nodes: OneProcess, workload: Workload | None = None) -> SplitNetwork:
    module = (workload or all_nodes.workload).module
    return SplitNetwork.cut(module, CLIENT_UNITS[all_nodes.job.settings.data])


def snake_memory(all_nodes: OneProcess) -> dict[str, int]:
    """Measure every visit and return the largest peak."""
    visits = all_nodes.job.visits
    peaks = [all_nodes.peak_bytes(visit.stage, visit.trained, as_snake=True) for visit in visits]
    return {"device": max(peaks)}


def federated_memory(all_nodes: OneProcess) -> dict[str, int]:
    """Measure the training of everything, the same on all nodes."""
    return {"device": all_nodes.peak_bytes(0, tuple(all_nodes.workload.layers), as_snake=False)}


def split_memory(all_nodes: OneProcess) -> dict[str, int]:
    """Measure a client and the server, each on a network of its own."""
    node = all_nodes.nodes[0]

    def optimizer_of(parameters: list[torch.nn.Parameter]) -> torch.optim.Optimizer | None:
        return node.optimizer(parameters, 1)

    first, second = (_split(all_nodes, all_nodes.workload.copy()) for _ in range(2))
    batches = node.batches(0)
    return {
        "device": first.client_peak_bytes(batches, optimizer_of),
        "server": second.server_peak_bytes(batches, optimizer_of),
    }


@dataclass(frozen=True)
class Method:
    """A way to train, and the settings that it takes beside those of all.

    Parameters
    ----------
    name
        In tables.
    rounds
        Trains, and yields the bytes that each round moved.
    memory
        Returns measured peaks in bytes, of a device and where there is one of the server.
    settings
        Changes to the settings of the run.
    """

    name: str
    rounds: Callable[[OneProcess], Iterator[int]]
    memory: Callable[[OneProcess], dict[str, int]]
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def slug(self) -> str:
        """The name as that of a file."""
        return self.name.replace(" ", "-").replace(",", "").lower()


METHODS = (
    Method(SNAKE, snake, snake_memory),
    Method(DISTILLING, snake, snake_memory, {"distill": 1.0}),
    Method(f"{DISTILLING}, falling rate", snake, snake_memory, {"distill": 1.0, "schedule": "cosine"}),
    Method(FEDERATED, federated, federated_memory),
    Method(f"{FEDERATED}, falling rate", federated, federated_memory, {"schedule": "cosine"}),
    Method(SPLIT, split, split_memory),
)
