"""A schedule beside its instance: validated, and with what it takes."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any

from edgeplan.errors import InvalidInputError, UsageError
from edgeplan.models.faults import MAX_COLLECTED, Fault, in_document_order
from edgeplan.models.federated.faults import schedule_faults
from edgeplan.models.federated.round_cost import ClientCost, RoundCost
from edgeplan.models.federated.schedule import Client, FederatedSchedule
from edgeplan.models.federated.transfers import downloads_s, uploads_s
from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.layer_assignment.serial import earliest_start_s
from edgeplan.models.layer_assignment.serial_figures import SerialFigures
from edgeplan.models.reading import read_document


@dataclass(frozen=True)
class StatedSchedule:
    """A schedule whose clients, server and limits fit its instance.

    Parameters
    ----------
    problem
        The instance, of schedule serial.
    schedule
        What is to be run on it.

    Examples
    --------
    >>> from edgeplan.models.layer_assignment.examples import two_layers_two_nodes
    >>> rounds = [{"clients": [{"node": "slow", "local_steps": 3}]}]
    >>> document = {"format": "edgeplan/1", "kind": "federated_schedule", "server": "fast", "rounds": rounds}
    >>> cost = StatedSchedule.from_document(document, two_layers_two_nodes()).rounds[0]
    >>> cost.bytes_moved, cost.time_s
    (16000, 15.0)
    """

    problem: LayerAssignment
    schedule: FederatedSchedule
    _figures: dict[tuple[int, int], SerialFigures] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_document(
        cls, document: Any, problem: LayerAssignment, *, source: str | None = None
    ) -> StatedSchedule:
        """Read a parsed schedule document.

        Parameters
        ----------
        document
            Plain JSON values without notes.
        problem
            The instance that it is for.
        source
            Name of the document in messages.

        Raises
        ------
        InvalidInputError
            With every fault of the document.
        UsageError
            When the instance has another schedule than serial.
        """
        if problem.is_pipeline:
            raise UsageError('/schedule: "pipeline": must be serial for federated averaging; use serial')
        faults = list(islice(schedule_faults(document, problem.instance), MAX_COLLECTED))
        schedule = read_document(document, FederatedSchedule, also=faults, source=source)
        stated = cls(problem, schedule)
        broken = list(islice(stated._limit_faults(), MAX_COLLECTED))
        if broken:
            raise InvalidInputError(in_document_order(broken), source)
        return stated

    @property
    def server(self) -> str:
        """Id of the node that averages."""
        server = self.schedule.server or self.problem.instance.server
        assert server is not None
        return server

    @property
    def clients(self) -> tuple[str, ...]:
        """Ids of all who ever take part, in the order of the network."""
        names = {client.node for one in self.schedule.rounds for client in one.clients}
        return tuple(node.id for node in self.problem.instance.network.nodes if node.id in names)

    @cached_property
    def num_bytes(self) -> int:
        """Bytes of all parameters on their way."""  # (1)
        serial = self.problem.serial
        return math.ceil(serial.weight_bytes * serial.parameters(self._everything))

    @cached_property
    def rounds(self) -> tuple[RoundCost, ...]:
        """What every round takes when all its clients take part."""
        return tuple(self.round_cost(index) for index in range(len(self.schedule.rounds)))

    def local_steps(self, client: Client) -> int:
        """Steps of a client in a round."""
        return client.local_steps or self.problem.instance.training.local_steps

    def batch_size(self, client: Client) -> int:
        """Samples of a client's step in a round."""
        return client.batch_size or self.problem.instance.training.batch_size

    def round_cost(self, index: int, without: Collection[str] = ()) -> RoundCost:
        """Return what a round takes.

        Parameters
        ----------
        index
            The round, counted from 0.
        without
            Clients that are no more there.
        """
        clients = [one for one in self.schedule.rounds[index].clients if one.node not in without]
        network, names = self.problem.instance.network, [client.node for client in clients]
        there_s = downloads_s(network, self.server, names, self.num_bytes)  # (3)
        starts_s = {client.node: self._start_s(client, there_s[client.node]) for client in clients}
        trained_s = {
            client.node: start_s + self.compute_s(client)
            for client in clients
            if (start_s := starts_s[client.node]) is not None
        }
        ends_s = uploads_s(network, self.server, trained_s, self.num_bytes)  # (5)
        costs = tuple(
            ClientCost(
                node=client.node,
                local_steps=self.local_steps(client),
                batch_size=self.batch_size(client),
                memory_bytes=self.memory_bytes(client),
                bytes_in=self.num_bytes,
                bytes_out=self.num_bytes,
                transfer_in_s=there_s[client.node],
                compute_start_s=starts_s[client.node],
                compute_s=self.compute_s(client),
                transfer_out_s=ends_s[client.node] - trained_s[client.node]
                if client.node in ends_s
                else None,
                end_s=ends_s.get(client.node),
            )
            for client in clients
        )
        all_fit = len(ends_s) == len(clients)
        return RoundCost(costs, max(ends_s.values(), default=0.0) if all_fit else None)

    def compute_s(self, client: Client) -> float:
        """Seconds of a client's local steps."""  # (4)
        network, share = self.problem.instance.network, self.schedule.fixed_share
        fixed = self.problem.instance.training.batch_size / self.batch_size(client)
        linear_s = self.figures_of(client).compute_s(
            network.nodes[network.index_of[client.node]], self._everything
        )
        return (share * fixed + 1 - share) * linear_s

    def memory_bytes(self, client: Client) -> int:
        """Memory of a client's step."""  # (6)
        return self.figures_of(client).memory_bytes(self._everything)

    def _start_s(self, client: Client, ready_s: float) -> float | None:
        network = self.problem.instance.network
        node = network.nodes[network.index_of[client.node]]
        return earliest_start_s(node, ready_s, self.compute_s(client))

    @property
    def _everything(self) -> range:
        return range(len(self.problem.instance.model.layers))

    def figures_of(self, client: Client) -> SerialFigures:
        """Equations (4) and (5) of layer_assignment with the client's own steps and batch."""
        key = self.local_steps(client), self.batch_size(client)
        if key not in self._figures:
            instance = self.problem.instance
            changed = {"local_steps": key[0], "batch_size": key[1]}
            training = instance.training.model_copy(update=changed)
            self._figures[key] = SerialFigures(instance.model_copy(update={"training": training}))
        return self._figures[key]

    def _limit_faults(self) -> Iterator[Fault]:
        """Yield what does not fit the nodes: memory and windows."""
        for index, (entry, cost) in enumerate(zip(self.schedule.rounds, self.rounds, strict=True)):
            for position, (client, one) in enumerate(zip(entry.clients, cost.clients, strict=True)):
                for rule in self._broken(one):
                    yield Fault(("rounds", index, "clients", position), rule, client.node)

    def _broken(self, cost: ClientCost) -> Iterator[str]:
        network = self.problem.instance.network
        have = network.nodes[network.index_of[cost.node]].memory_bytes
        if cost.memory_bytes > have:  # (6)
            yield (
                f"must have {cost.memory_bytes} bytes to train everything with batch_size {cost.batch_size}, "
                f"has {have}; use a smaller batch or leave it out"
            )
        if cost.end_s is None:  # (4)
            yield (
                f"must have a window for {cost.compute_s:g} s of computing; take fewer local steps or leave "
                "it out"
            )
