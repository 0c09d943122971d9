"""A plan as a walk, and what each step of it costs.

A step serves one run with one node, after a node of a sender class. Nodes that cost the same as senders
share a class, so equal nodes cost nothing extra. A step to which nothing moves comes from a class of
its own, the source: the first stage of a pipeline, the only stage of a serial round between peers.
A walk goes over positions 0..n; its states are (position, sender class of the node that ended there).
Waiting for windows is not in these costs, so sums over them bound the time from below.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np

from edgeplan.models.layer_assignment.instance import Objective
from edgeplan.models.network import Node
from edgeplan.solvers.layer_assignment.steps.stage_table import Bools, Floats, Ints, StageTable

Route = tuple[tuple[int, int, int], ...]
"""Stages (start position, end position, column of the node) in visiting order."""
Steps = list[tuple[int, int, int]]
"""Row of the run, sender class and column of the node of each stage."""


@dataclass(frozen=True)
class Terms:
    """Time (s), energy (J) and price of steps, arrays of one shape."""

    time_s: Floats
    energy_j: Floats
    price: Floats

    def weighted(self, time_s: float, energy_j: float, price: float) -> Floats:
        """Sum with weights; a weight of zero silences its term."""
        total = np.zeros(self.time_s.shape)
        for weight, term in ((time_s, self.time_s), (energy_j, self.energy_j), (price, self.price)):
            if weight > 0:
                total += weight * term
        return total

    @property
    def are_finite(self) -> bool:
        """Whether no figure is beyond what a float holds."""
        return all(np.isfinite(term.max(initial=0.0)) for term in (self.time_s, self.energy_j, self.price))


def with_transfer(own: Floats, rate: Floats, seconds: Floats) -> Floats:
    """Add what transfers cost, [classes, nodes] a second; nothing is stored where all is free."""
    if not rate.any() and not own.any():
        return np.broadcast_to(np.float64(0.0), seconds.shape)
    return np.asarray(own[:, None, :] + rate * seconds)


@dataclass(frozen=True)
class Arcs(ABC):
    """Steps [run, sender class, node] of a stage table; a schedule adds its equations.

    Parameters
    ----------
    table
        Runs and candidate nodes.
    free_transfers
        Whether to leave transfers out, so that all nodes are one sender class; for questions in which
        neither times nor costs matter.
    objective
        Weights that take the place of those of the instance.
    """

    table: StageTable
    free_transfers: bool = False
    objective: Objective | None = None

    def minimising(self, term: str) -> Self:
        """Return the same steps under one term alone as the objective: time_s, energy_j or price."""
        return replace(self, objective=Objective(**{term: 1.0}))

    @property
    def weights(self) -> Objective:
        """Weights of the objective."""
        return self.table.problem.instance.objective if self.objective is None else self.objective

    @property
    def num_nodes(self) -> int:
        """Number of candidate nodes."""
        return len(self.table.nodes)

    @property
    def num_steps(self) -> int:
        """Number of steps before any is left out: runs times sender classes times nodes."""
        return len(self.table.run_starts) * self.num_classes * self.num_nodes

    @cached_property
    def candidates(self) -> list[Node]:
        """The candidate nodes."""
        return [self.table.node(column) for column in range(self.num_nodes)]

    @property
    @abstractmethod
    def is_cyclic(self) -> bool:
        """Whether the first step comes from the class of the last node."""

    @property
    @abstractmethod
    def source(self) -> int | None:
        """The class from which nothing moves, behind all others; None if there is none."""

    @abstractmethod
    def first_sender(self, route: Route) -> int:
        """Sender class of the first stage."""

    @abstractmethod
    def _link_key(self, node: Node) -> tuple[object, ...]:
        """What a node adds to the time of the transfers that follow its stage."""

    def _sender_key(self, node: Node) -> object:
        """Nodes without links of their own and with equal keys cost the same as senders."""
        problem = self.table.problem
        return (
            *self._link_key(node),
            node.transmit_power_w if problem.energy_matters else None,
            node.price_per_s if problem.price_matters else None,
        )

    @property
    def _nodes_are_one_class(self) -> bool:
        """Whether it does not matter which node sends."""
        return self.free_transfers

    @cached_property
    def class_of(self) -> Ints:
        """Sender class of each node, shape [nodes]."""
        if self._nodes_are_one_class:
            return np.zeros(self.num_nodes, dtype=np.int64)
        given = self.table.problem.instance.node_order == "given"
        classes: dict[object, int] = {}
        keys = [
            column if given or node.id in self._linked else self._sender_key(node)
            for column, node in enumerate(self.candidates)
        ]
        return np.array([classes.setdefault(key, len(classes)) for key in keys], dtype=np.int64)

    @property
    def _linked(self) -> set[str]:
        """Nodes that have links of their own as senders."""
        return {link.source for link in self.table.problem.instance.network.links}

    @property
    def keeps_order(self) -> bool:
        """Whether the allowed steps alone keep a given order of nodes."""
        return not self._nodes_are_one_class

    @cached_property
    def senders(self) -> list[Node]:
        """One node of each class but the source."""
        count = int(self.class_of.max(initial=-1)) + 1
        return [self.candidates[int(np.argmax(self.class_of == c))] for c in range(count)]

    @property
    def num_classes(self) -> int:
        """Number of sender classes, the source among them."""
        return len(self.senders) + (self.source is not None)

    @property
    def first_senders(self) -> Ints:
        """Sender classes that a first step may have."""
        return np.arange(self.num_classes)

    @cached_property
    def endings(self) -> Floats:
        """Zero where a plan may end on a class when its first step came from another, else infinite.

        Shape [first senders, classes].
        """
        endings = np.full((self.num_classes, self.num_classes), math.inf)
        if self.is_cyclic:
            np.fill_diagonal(endings, 0.0)
        if self.source is not None:
            endings[self.source] = 0.0
        return endings

    def latency_and_inverse_rate(self, sources: list[Node], targets: list[Node]) -> tuple[Floats, Floats]:
        """Latency (s) and s/bit for every pair, shape [sources, targets]."""
        network = self.table.problem.instance.network
        up = np.array([0.0 if s.uplink_bit_per_s is None else 1.0 / s.uplink_bit_per_s for s in sources])
        down = np.array(
            [0.0 if t.downlink_bit_per_s is None else 1.0 / t.downlink_bit_per_s for t in targets]
        )
        latency = np.add.outer([s.latency_s for s in sources], [t.latency_s for t in targets])
        inverse_rate = np.maximum.outer(up, down)
        row_of = {node.id: row for row, node in enumerate(sources)}
        column_of = {node.id: column for column, node in enumerate(targets)}
        for link in network.links:
            if link.source in row_of and link.target in column_of:
                place = row_of[link.source], column_of[link.target]
                latency[place] = link.latency_s
                inverse_rate[place] = 0.0 if link.bit_per_s is None else 1.0 / link.bit_per_s
        return latency, inverse_rate

    def of_senders(self, attribute: str) -> Floats:
        """Return a figure of every sender class, 0 of the source, shape [classes]."""
        figures = [float(getattr(node, attribute)) for node in self.senders]
        return np.array(figures if self.source is None else [*figures, 0.0])

    @property
    @abstractmethod
    def terms(self) -> Terms:
        """Cost of every step, without waiting, shape [runs, classes, nodes]."""

    @property
    @abstractmethod
    def allowed(self) -> Bools:
        """Steps that a plan may take, shape [runs, classes, nodes]."""

    @property
    @abstractmethod
    def peak_s(self) -> Floats:
        """What a step alone makes the bottleneck at least, shape [runs, classes, nodes]."""

    @property
    def shared_peaks_s(self) -> tuple[Floats, Floats] | None:
        """Where two steps share in the bottleneck: what the first adds, and what the one behind it adds.

        Both of shape [runs, classes, nodes]; None where `peak_s` is all.
        """
        return None

    @abstractmethod
    def bottleneck_s(self, steps: Steps) -> float:
        """Return the bottleneck of a plan."""

    @property
    def peaks_in_time(self) -> int:
        """How often the bottleneck counts in the time."""
        return 0

    @property
    def peak_weight(self) -> float:
        """Weight of the bottleneck in the objective, that by way of the time included."""
        return self.weights.time_s * self.peaks_in_time + self.weights.bottleneck_s

    def steps_of(self, route: Route) -> Steps:
        """Return the steps of a route."""
        steps, sender = [], self.first_sender(route)
        for start, end, column in route:
            steps.append((self.table.run(start, end), sender, column))
            sender = int(self.class_of[column])
        return steps

    def without_itself(self) -> Bools:
        """Whether a node of a class may be followed by a node, shape [classes, nodes]."""
        members = np.bincount(self.class_of, minlength=self.num_classes)
        columns = np.arange(self.num_nodes)
        possible = np.ones((self.num_classes, self.num_nodes), dtype=bool)
        possible[self.class_of, columns] = members[self.class_of] > 1
        return possible

    @cached_property
    def cost(self) -> Floats:
        """Weighted time, energy and price of each allowed step, infinite for the others."""
        weights = self.weights
        cost = self.terms.weighted(weights.time_s, weights.energy_j, weights.price)
        return np.where(self.allowed, cost, math.inf)
