"""Rounds of the serial schedule, equation (7) with noise, and with nodes that leave.

A visit is under way from the begin of its transfer in to the end of its computing, and lost if its node
leaves in between, or if the sender leaves during the transfer. What has been computed is kept: its node hands
it on when it is there. So the round waits for a sender in any case, and a node that is away when its turn
comes is waited for, replaced or skipped. Servers never leave.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.models.network import Node
from edgeplan.models.numbers import LIMIT_TOLERANCE, nearest_float
from edgeplan.models.simulated import Predicted
from edgeplan.simulation.attempts import MOST_ATTEMPTS, carry_out
from edgeplan.simulation.chance import Array, Chance, Drawn, Flags, Lanes, node_factors
from edgeplan.simulation.presence import Always, Presence, all_there_from, presence_of
from edgeplan.simulation.rounds import Rounds
from edgeplan.simulation.settings import REPLACE, SKIP, WAIT, SimulationSettings
from edgeplan.simulation.substitutes import Substitutes

NOBODY = -1


@dataclass(frozen=True)
class SerialReplay:
    """A plan of the serial schedule, ready to be played.

    Parameters
    ----------
    problem, plan
        What is played.
    settings
        How.
    """

    problem: LayerAssignment
    plan: Plan
    settings: SimulationSettings

    @cached_property
    def visits(self) -> tuple[Visiting, ...]:
        """The stages."""
        costs, figures = self.problem.cost(self.plan).visits, self.problem.serial
        can_replace = self.settings.churn is not None and self.settings.policy(self.problem) == REPLACE
        substitutes = Substitutes(self.problem, costs) if can_replace else None
        return tuple(
            Visiting(
                self.problem,
                cost.visit.own_layers,
                (cost.visit.node, *(substitutes.of(stage) if substitutes else ())),
                nearest_float(figures.bytes_to_update(cost.visit.own_layers)),
                nearest_float(figures.bytes_to_return(cost.visit.own_layers)),
                cost.bytes_in,
                cost.bytes_out,
            )
            for stage, cost in enumerate(costs)
        )

    @cached_property
    def predicted(self) -> Predicted:
        """What the problem says of a round."""
        cost = self.problem.cost(self.plan)
        return Predicted(time_s=cost.time_s, bytes_moved=cost.bytes_moved, energy_j=cost.energy_j)

    period = 1
    """Rounds that belong together."""

    @property
    def floats_of_a_round(self) -> int:
        """How many numbers a round takes at once."""
        return 64

    def play(self, chance: Chance, rounds: int) -> Rounds:
        """Play the first rounds of a chunk."""
        state = _State(self, chance, rounds)
        for stage in range(len(self.visits)):
            state.visit(stage)
        return state.rounds()

    @cached_property
    def speed_factors(self) -> Array:
        """Factor of every node's computing in all rounds."""
        nodes = self.problem.instance.network.nodes
        return node_factors(self.settings.seed, self.settings.jitter.node, len(nodes))

    @cached_property
    def server(self) -> int:
        """Index of the server, or nobody."""
        name = self.problem.server
        return NOBODY if name is None else self.problem.instance.network.index_of[name]

    @property
    def first_sender(self) -> int:
        """Who has the parameters when the round begins."""
        if self.server != NOBODY:
            return self.server
        return self.visits[-1].nodes[0] if len(self.visits) > 1 else NOBODY


@dataclass(frozen=True)
class Visiting:
    """A stage: its layers, and who may serve it, the planned node first."""

    problem: LayerAssignment
    own_layers: tuple[int, ...]
    nodes: tuple[int, ...]
    update_bytes: float
    return_bytes: float
    bytes_in: int
    bytes_out: int
    _known: dict[tuple[int, int], float] = field(default_factory=dict)

    def in_s(self, sender: int, node: int) -> float:
        """Seconds of the transfer in; nothing moves from nobody, or from oneself."""
        return 0.0 if sender in (NOBODY, node) else self._moving_s(sender, node, self.update_bytes)

    def out_s(self, node: int, server: int) -> float:
        """Seconds of the transfer out."""
        return self._moving_s(node, server, self.return_bytes)

    def compute_s(self, node: int) -> float:
        """Seconds of computing."""
        key = (node, node)
        if key not in self._known:
            device = self.problem.instance.network.nodes[node]
            self._known[key] = self.problem.serial.compute_s(device, self.own_layers)
        return self._known[key]

    def _moving_s(self, source: int, target: int, num_bytes: float) -> float:
        network, key = self.problem.instance.network, (source, target)
        if key not in self._known:
            ends = network.nodes[source].id, network.nodes[target].id
            self._known[key] = network.transfer_s(*ends, num_bytes)
        return self._known[key]


class _State:
    """The rounds of a chunk while they are played, all at the same stage."""

    def __init__(self, replay: SerialReplay, chance: Chance, rounds: int) -> None:
        self._replay, self._chance = replay, chance
        self._settings = replay.settings
        self._policy = replay.settings.policy(replay.problem)
        self._now, self._compute_s, self._transfer_s, self._waiting_s = (np.zeros(rounds) for _ in range(4))
        self._lost_s, self._bytes, self._energy_j = (np.zeros(rounds) for _ in range(3))
        self._lost, self._replaced, self._skipped = (np.zeros(rounds) for _ in range(3))
        self._sender: Lanes = np.full(rounds, replay.first_sender)
        self._presences: dict[int, Presence] = {NOBODY: Always(), replay.server: Always()}
        self._used: dict[int, Flags] = {}

    def rounds(self) -> Rounds:
        """Return what was played."""
        return Rounds(
            self._now,
            self._compute_s,
            self._transfer_s,
            self._waiting_s,
            self._lost_s,
            self._bytes,
            self._energy_j,
            self._lost,
            self._replaced,
            self._skipped,
        )

    def visit(self, stage: int) -> None:
        """Play one stage to its end in every round that has come to it."""
        jitter, shape = self._settings.jitter, self._now.shape
        noise = _Noise(
            self._chance.factors(jitter.transfer, shape, Drawn.TRANSFER, stage, 0),
            self._chance.factors(jitter.compute, shape, Drawn.COMPUTE, stage),
            self._chance.factors(jitter.transfer, shape, Drawn.TRANSFER, stage, 1),
        )
        pending = np.flatnonzero(np.isfinite(self._now))
        for _ in range(MOST_ATTEMPTS):
            if not pending.size:
                return
            pending = self._attempt(stage, pending, noise)
        self._now[pending] = np.inf

    def _attempt(self, stage: int, pending: Lanes, noise: _Noise) -> Lanes:
        """Try the visit once; return the rounds that have to try again."""
        again = [np.zeros(0, dtype=np.intp)]
        senders = self._sender[pending]
        for sender in np.unique(senders).tolist():
            for node, at in self._choose(stage, sender, pending[senders == sender]):
                if at.size:
                    again.append(self._visit_at(_Hop(stage, sender, node), at, noise))
        return np.concatenate(again)

    def _choose(self, stage: int, sender: int, at: Lanes) -> list[tuple[int, Lanes]]:
        """Say in which rounds which node is visited; pass over the visit where it is skipped."""
        planned, *others = self._replay.visits[stage].nodes
        if self._policy == WAIT:
            return [(planned, at)]
        self._wait(at, self._presence(sender).there_from(at, self._now[at]))
        there = self._can_take(planned, at)
        if self._policy == SKIP:
            self._skipped[at[~there]] += 1
            return [(planned, at[there])]
        groups, away = [(planned, at[there])], at[~there]
        for node in others:
            free = self._can_take(node, away)
            groups.append((node, away[free]))
            away = away[~free]
        return [*groups, (planned, away)]

    def _can_take(self, node: int, at: Lanes) -> Flags:
        """Whether a node is there and has not served or failed in this round."""
        there = self._presence(node).is_there(at, self._now[at])
        return there & ~self._used[node][at] if node in self._used else there

    def _visit_at(self, hop: _Hop, at: Lanes, noise: _Noise) -> Lanes:
        """Visit a node in some rounds; return those in which it has to be tried again."""
        replay, visit, node = self._replay, self._replay.visits[hop.stage], hop.node
        itself, sender = self._presence(node), self._presence(hop.sender)
        in_s = visit.in_s(hop.sender, node) * noise.inbound[at]
        compute_s = visit.compute_s(node) * noise.compute[at] * replay.speed_factors[node]
        begin = all_there_from([sender, itself], at, self._now[at])
        arrived = begin + in_s
        start = window_start(self._node(node), arrived, compute_s)
        end, sender_leaves = start + compute_s, sender.leaves_after(at, begin)
        leave = np.minimum(
            itself.leaves_after(at, begin), np.where(sender_leaves < arrived, sender_leaves, np.inf)
        )
        never, lost = np.isinf(end), leave < end
        lost &= ~never
        done = ~(lost | never)
        self._wait(at[~never], begin[~never])
        self._give_up(hop, at[lost], in_s[lost], start[lost], leave[lost])
        self._complete(hop, at[done], in_s[done], start[done], compute_s[done])
        self._hand_back(hop, at[done], noise)
        return np.concatenate([self._after_loss(node, at[lost]), self._out_of_windows(node, at[never])])

    def _wait(self, at: Lanes, until: Array) -> None:
        self._waiting_s[at] += until - self._now[at]
        self._now[at] = until

    def _give_up(self, hop: _Hop, at: Lanes, in_s: Array, start: Array, leave: Array) -> None:
        """Count what a visit took that was lost."""
        begin = self._now[at]
        sending_s, computing_s = np.minimum(leave - begin, in_s), np.maximum(leave - start, 0.0)
        self._spend(hop, at, sending_s, computing_s)
        visit = self._replay.visits[hop.stage]
        if hop.moves:
            whole = np.where(in_s > 0, in_s, 1.0)
            self._bytes[at] += visit.bytes_in * np.where(in_s > 0, sending_s / whole, 1.0)
        self._lost_s[at] += leave - begin
        self._lost[at] += 1
        self._now[at] = leave

    def _complete(self, hop: _Hop, at: Lanes, in_s: Array, start: Array, compute_s: Array) -> None:
        """Count what a visit took to the end of its computing."""
        visit = self._replay.visits[hop.stage]
        self._spend(hop, at, in_s, compute_s)
        self._bytes[at] += visit.bytes_in if hop.moves else 0
        self._transfer_s[at] += in_s
        self._now[at] += in_s
        self._wait(at, start)
        self._compute_s[at] += compute_s
        self._now[at] += compute_s
        if hop.node != visit.nodes[0]:
            self._replaced[at] += 1
            self._mark_used(hop.node, at)
        if self._replay.server == NOBODY and self._replay.first_sender != NOBODY:
            self._sender[at] = hop.node

    def _hand_back(self, hop: _Hop, at: Lanes, noise: _Noise) -> None:
        """Move what was trained to the server, as often as it takes."""
        replay, visit = self._replay, self._replay.visits[hop.stage]
        if replay.server == NOBODY:
            return
        out_s = visit.out_s(hop.node, replay.server) * noise.outbound[at]
        carried = carry_out([self._presence(hop.node)], self._now[at], out_s, lanes=at)
        sent = out_s + carried.lost
        self._energy_j[at] += self._node(hop.node).transmit_power_w * sent
        whole = np.where(out_s > 0, out_s, 1.0)
        self._bytes[at] += visit.bytes_out + visit.bytes_out * (carried.lost / whole)
        self._waiting_s[at] += carried.waiting
        self._transfer_s[at] += out_s
        self._lost_s[at] += carried.lost
        self._lost[at] += carried.attempts_lost
        self._now[at] = carried.end

    def _after_loss(self, node: int, at: Lanes) -> Lanes:
        """Return the rounds in which a lost visit is tried again."""
        if self._policy != SKIP:
            return at
        self._skipped[at] += 1
        return at[:0]

    def _out_of_windows(self, node: int, at: Lanes) -> Lanes:
        """Return the rounds in which another node is tried, as this one's windows are over."""
        if self._policy == WAIT:
            self._now[at] = np.inf
        elif self._policy == SKIP:
            self._skipped[at] += 1
        else:
            self._mark_used(node, at)
            return at
        return at[:0]

    def _spend(self, hop: _Hop, at: Lanes, sending_s: Array, computing_s: Array) -> None:
        self._energy_j[at] += self._node(hop.node).compute_power_w * computing_s
        if hop.moves:
            self._energy_j[at] += self._node(hop.sender).transmit_power_w * sending_s

    def _mark_used(self, node: int, at: Lanes) -> None:
        used = self._used.setdefault(node, np.zeros(self._now.size, dtype=np.bool_))
        used[at] = True

    def _presence(self, node: int) -> Presence:
        if node not in self._presences:
            churn, lanes = self._settings.churn, self._now.size
            self._presences[node] = presence_of(self._chance, churn, lanes, node)
        return self._presences[node]

    def _node(self, index: int) -> Node:
        return self._replay.problem.instance.network.nodes[index]


@dataclass(frozen=True)
class _Noise:
    """Factors of a visit's times, a round each."""

    inbound: Array
    compute: Array
    outbound: Array


@dataclass(frozen=True)
class _Hop:
    """From whom to whom a visit goes."""

    stage: int
    sender: int
    node: int

    @property
    def moves(self) -> bool:
        """Whether anything moves."""
        return self.sender not in (NOBODY, self.node)


def window_start(node: Node, ready: Array, seconds: Array) -> Array:
    """Return the earliest begin that fits one window of the node; infinite if there is none."""  # (7)
    if node.available_s is None:
        return ready
    start = np.full(ready.shape, np.inf)
    for first, last in reversed(node.available_s):
        begin = np.maximum(ready, first)
        fits = begin + seconds <= last + LIMIT_TOLERANCE * max(1.0, last)
        start[fits] = begin[fits]
    return start
