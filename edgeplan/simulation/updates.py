"""Rounds of sparse_update: the steps of all devices, then the collectives as they overlap, equation (9).

A device that is away when the round begins, or leaves before its steps are done, is skipped or waited for;
one that has done its steps stays to the end. Collectives go on with those who are left: an all-reduce and a
broadcast cost what equation (7) says of so many, at the slowest pair of those that the plan has in it; where
the root of a broadcast is gone, all that could take its place are waited for. What nobody left has trained is
not told.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgeplan.models.simulated import Predicted
from edgeplan.models.sparse_update import SparsePlan, SparseUpdate
from edgeplan.models.sparse_update.collectives import cost_of, key_of
from edgeplan.models.sparse_update.network import CollectiveCosts
from edgeplan.models.sparse_update.plan import Collective
from edgeplan.models.sparse_update.plan_cost import PlanCost
from edgeplan.simulation.attempts import carry_out
from edgeplan.simulation.chance import Array, Chance, Drawn, Flags, Lanes, node_factors
from edgeplan.simulation.presence import presence_of
from edgeplan.simulation.rounds import Rounds
from edgeplan.simulation.settings import WAIT, SimulationSettings


@dataclass(frozen=True)
class Told:
    """A collective: what it takes, by how many take part.

    Parameters
    ----------
    kind
        All-reduce or broadcast.
    latency_s, s_per_byte
        Alpha and beta.
    num_bytes
        Of the buffer.
    givers
        Devices that average, or of which one sends.
    receivers
        Devices that are told; of an all-reduce none.
    root
        The device that sends, if one does.
    """

    kind: str
    latency_s: float
    s_per_byte: float
    num_bytes: float
    givers: tuple[int, ...]
    receivers: tuple[int, ...]
    root: int | None

    def cost(self, giving: Array, receiving: Array, broadcast: str) -> tuple[Array, Array]:
        """Seconds and bytes for numbers of givers and receivers that are left."""  # (7)
        if self.kind == "all_reduce":
            g = np.maximum(giving, 1.0)
            seconds = 2 * (g - 1) * self.latency_s + 2 * (g - 1) / g * self.num_bytes * self.s_per_byte
            return seconds, 2 * (g - 1) * self.num_bytes
        copies = np.where(giving > 0, receiving, 0.0)
        hops = copies if broadcast == "flat" else np.ceil(np.log2(copies + 1))
        latencies = np.minimum(copies, 1.0) if broadcast == "flat" else hops
        return latencies * self.latency_s + hops * self.num_bytes * self.s_per_byte, copies * self.num_bytes


@dataclass(frozen=True)
class UpdateReplay:
    """A plan of sparse_update, ready to be played.

    Parameters
    ----------
    problem, plan
        What is played.
    settings
        How.
    """

    problem: SparseUpdate
    plan: SparsePlan
    settings: SimulationSettings

    @cached_property
    def cost(self) -> PlanCost:
        """The problem's own figures."""
        return PlanCost.of(self.problem.instance, self.plan)

    @cached_property
    def steps_s(self) -> Array:
        """Seconds of each device's steps in a round."""
        steps = np.array([device.step_s for device in self.cost.device_costs])
        factors = node_factors(self.settings.seed, self.settings.jitter.node, steps.size)
        return np.asarray((self.settings.local_steps or 1) * steps * factors)

    @cached_property
    def predicted(self) -> Predicted:
        """What the problem says of a round."""
        time_s = self.cost.round_s(self.settings.local_steps or 1)
        return Predicted(time_s=time_s, bytes_moved=self.cost.aggregation.bytes_moved, energy_j=None)

    period = 1
    """Rounds that belong together."""

    @property
    def floats_of_a_round(self) -> int:
        """How many numbers a round takes at once."""
        return 8 * len(self.problem.instance.devices)

    @cached_property
    def collectives(self) -> tuple[Told, ...]:
        """The collectives that move anything to anybody, in their order."""
        return tuple(self._told())

    def _told(self) -> Iterator[Told]:
        instance, cost = self.problem.instance, self.cost
        costs, index_of = CollectiveCosts(instance), instance.device_index
        averaged = {
            key_of(part): one for one in cost.collectives if one.kind == "all_reduce" for part in one.slices
        }
        for one in cost.collectives:
            moved = cost_of(instance, [one], cost.updated).bytes_moved
            others = len(one.members) - 1
            if one.kind == "all_reduce" and others:
                tariff = costs.all_reduce_tariff(one.members)
                latency_s, s_per_byte = (
                    tariff.fixed_s / (2 * others),
                    tariff.s_per_byte / (2 * others) * (others + 1),
                )
                givers = tuple(index_of[name] for name in one.members)
                yield Told(one.kind, latency_s, s_per_byte, moved / (2 * others), givers, (), None)
            elif one.root is not None and others:
                receivers = [name for name in one.members if name != one.root]
                tariff = costs.broadcast_tariff(one.root, receivers)
                hops = others if instance.broadcast == "flat" else int(np.ceil(np.log2(others + 1)))
                latency_s = tariff.fixed_s if instance.broadcast == "flat" else tariff.fixed_s / hops
                reduced = averaged.get(key_of(one.slices[0])) if one.slices else None
                givers = tuple(index_of[name] for name in self._roots(one, reduced))
                told = tuple(index_of[name] for name in receivers)
                each_s, root = tariff.s_per_byte / hops, index_of[one.root]
                yield Told(one.kind, latency_s, each_s, moved / others, givers, told, root)

    @staticmethod
    def _roots(one: Collective, reduced: Collective | None) -> tuple[str, ...]:
        """Devices that know what is broadcast: those that averaged it, or the root alone."""
        assert one.root is not None
        return (one.root,) if reduced is None else reduced.members

    def play(self, chance: Chance, rounds: int) -> Rounds:
        """Play the first rounds of a chunk."""
        devices = self.steps_s.size
        noise = chance.factors(self.settings.jitter.compute, (rounds, devices), Drawn.COMPUTE)
        seconds = self.steps_s * noise
        stepped = self._stepped(seconds, chance)
        slowest = np.argmax(np.where(stepped.left, stepped.end, -1.0), axis=1)
        each = np.arange(rounds)
        aggregated = self._aggregated(stepped.left, chance, rounds)
        end = np.where(stepped.left.any(axis=1), stepped.end[each, slowest] + aggregated[0], np.inf)
        return Rounds(
            end,
            seconds[each, slowest],
            aggregated[0],
            stepped.waiting[each, slowest],
            stepped.lost_s[each, slowest],
            aggregated[1],
            None,
            stepped.attempts_lost,
            np.zeros(rounds),
            (~stepped.left).sum(axis=1).astype(np.float64),
        )

    def _stepped(self, seconds: Array, chance: Chance) -> _Stepped:
        """Let every device do its steps; a lane for each round and device."""
        shape, churn = seconds.shape, self.settings.churn
        nothing = np.broadcast_to(np.float64(0.0), shape)
        if churn is None:
            return _Stepped(seconds, np.broadcast_to(np.True_, shape), nothing, nothing, np.zeros(shape[0]))
        presence = presence_of(chance, churn, seconds.size)
        start, taken = np.zeros(seconds.size), seconds.ravel()
        if self.settings.policy(self.problem) == WAIT:
            done = carry_out([presence], start, taken)
            end, waiting, lost_s, attempts = (
                part.reshape(shape) for part in (done.end, done.waiting, done.lost, done.attempts_lost)
            )
            return _Stepped(end, np.ones(shape, dtype=np.bool_), waiting, lost_s, attempts.sum(axis=1))
        at: Lanes = np.arange(seconds.size)
        stays = presence.leaves_after(at, start).reshape(shape)  # 0 where it is away
        left = stays >= seconds
        return _Stepped(seconds, left, nothing, nothing, ((stays > 0) & ~left).sum(axis=1).astype(np.float64))

    def _aggregated(self, left: Flags, chance: Chance, rounds: int) -> tuple[Array, Array]:
        """Seconds and bytes of the collectives with the devices that are left."""  # (9)
        of_class = (left.astype(np.float32) @ self._classes.one_of).astype(np.float64)
        there = of_class > 0
        free_s, num_bytes = np.zeros(of_class.shape), np.zeros(rounds)
        for position, (one, (giving, receiving)) in enumerate(
            zip(self.collectives, self._classes.members, strict=True)
        ):
            noise = chance.factors(self.settings.jitter.transfer, (rounds,), Drawn.TRANSFER, position)
            num_giving, num_receiving = of_class @ giving, of_class @ receiving
            took, moved = one.cost(num_giving, num_receiving, self.problem.instance.broadcast)
            num_bytes += moved
            runs = (num_giving > 1) if one.root is None else (num_giving > 0) & (num_receiving > 0)
            begin_s = free_s[:, giving > 0].max(axis=1)
            root = None if one.root is None else self._classes.number[one.root]
            if root is not None:
                begin_s = np.where(there[:, root], free_s[:, root], begin_s)
            end_s = begin_s + took * noise
            told = np.flatnonzero(giving if root is None else receiving)
            ends = runs[:, None] & there[:, told]
            free_s[:, told] = np.where(ends, np.maximum(free_s[:, told], end_s[:, None]), free_s[:, told])
            if root is not None:
                sent_s = end_s - one.latency_s * noise
                free_s[:, root] = np.where(runs & there[:, root], sent_s, free_s[:, root])
        return free_s.max(axis=1, initial=0.0), num_bytes

    @cached_property
    def _classes(self) -> _Classes:
        """Devices in classes that do the same in every collective."""
        takes_part = np.zeros((3 * len(self.collectives) + 1, self.steps_s.size), dtype=np.bool_)
        for position, one in enumerate(self.collectives):
            takes_part[3 * position, list(one.givers)] = True
            takes_part[3 * position + 1, list(one.receivers)] = True
            if one.root is not None:
                takes_part[3 * position + 2, one.root] = True
        packed = np.ascontiguousarray(np.packbits(takes_part, axis=0).T)
        _, first, number = np.unique(packed, axis=0, return_index=True, return_inverse=True)
        one_of = np.eye(first.size, dtype=np.float32)[number.ravel()]
        rows = takes_part[:, first].astype(np.float64)
        members = [(rows[3 * k], rows[3 * k + 1]) for k in range(len(self.collectives))]
        return _Classes(one_of, number.ravel(), members)


class _Classes(NamedTuple):
    """Classes of devices: who is in which, and of every collective the classes that give and receive."""

    one_of: NDArray[np.float32]
    number: Lanes
    members: list[tuple[Array, Array]]


class _Stepped(NamedTuple):
    """The steps of all devices, in shape (rounds, devices); lost attempts by round."""

    end: Array
    left: Flags
    waiting: Array
    lost_s: Array
    attempts_lost: Array
