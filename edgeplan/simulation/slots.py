"""Slots of segment_scheduling: every cluster a line of stages and hops, equations (1) to (5) with noise.

A micro-batch passes the stages and hops of its cluster one after another, and each serves one micro-batch at
a time, as equation (4) has it. A cluster needs all its active devices from the begin of its slot to the end;
if one leaves, the cluster's slot is lost. Then, as where one is away from the start, the cluster is skipped
(it adds nothing, and holds nobody up) or begins its slot anew when all are there. Rounds are slots; after the
last the first follows, and each is played by itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from edgeplan.models.segment_scheduling import SegmentPlan, SegmentScheduling
from edgeplan.models.segment_scheduling.cluster_cost import ClusterCost
from edgeplan.models.segment_scheduling.slot_cost import SlotCost
from edgeplan.models.simulated import Predicted
from edgeplan.simulation.activities import COMPUTE, LOST, TRANSFER, WAITING
from edgeplan.simulation.attempts import carry_out
from edgeplan.simulation.chance import Array, Chance, Drawn, Flags, Lanes, node_factors
from edgeplan.simulation.presence import Partly, all_there_from, first_to_leave, presence_of
from edgeplan.simulation.rounds import Rounds
from edgeplan.simulation.settings import WAIT, SimulationSettings


class Line(NamedTuple):
    """The lines of all slots and clusters, padded with stations that take no time.

    Parameters
    ----------
    station_s
        Seconds of a micro-batch at each station, in shape (slots, clusters, stations); stages and hops take
        turns.
    station_w
        Power drawn meanwhile.
    device
        Index of the device of each stage over all clusters; of no stage -1.
    micro_batches
        In shape (slots, clusters), as all that follow; 0 where the cluster is skipped.
    embedding_s, decoder_s, upload_s
        Seconds before the first micro-batch, of all micro-batches at the decoder, and of the upload.
    upload_w
        Power of the control unit.
    num_bytes
        Bytes over all links.
    """

    station_s: Array
    station_w: Array
    device: Lanes
    micro_batches: Lanes
    embedding_s: Array
    decoder_s: Array
    upload_s: Array
    upload_w: Array
    num_bytes: Array

    def at(self, slots: Lanes) -> Line:
        """Return the lines of some slots."""
        parts: list[Any] = [part[slots] for part in self]
        return Line(*parts)


@dataclass(frozen=True)
class SlotReplay:
    """A plan of segment_scheduling, ready to be played.

    Parameters
    ----------
    problem, plan
        What is played.
    settings
        How.
    """

    problem: SegmentScheduling
    plan: SegmentPlan
    settings: SimulationSettings

    @cached_property
    def line(self) -> Line:
        """What the plan's slots take."""
        costs = self._costs
        shape = (len(costs), len(self.problem.instance.clusters))
        stages = max((len(one.stages) for cost in costs for one in cost.clusters), default=0)
        line = Line(
            np.zeros((*shape, 2 * stages)),
            np.zeros((*shape, 2 * stages)),
            np.full((*shape, stages), -1),
            np.zeros(shape, dtype=np.intp),
            np.zeros(shape),
            np.zeros(shape),
            np.zeros(shape),
            np.zeros(shape),
            np.zeros(shape),
        )
        for t, cost in enumerate(costs):
            for n, one in enumerate(cost.clusters):
                if one.stages:
                    self._fill(line, t, n, one)
        return line

    def _fill(self, line: Line, t: int, n: int, cost: ClusterCost) -> None:
        cluster, segments = self.problem.instance.clusters[n], self.problem.segments
        plan = next(one for one in self.plan.slots[t].clusters if one.id == cluster.id)
        power_w = 0.0 if plan.uplink is None else plan.uplink.power_w
        for k, stage in enumerate(cost.stages):
            is_last = k == len(cost.stages) - 1
            line.station_s[t, n, 2 * k : 2 * k + 2] = stage.compute_s, stage.transfer_s
            line.station_w[t, n, 2 * k] = cluster.devices[stage.device].compute_power_w
            line.station_w[t, n, 2 * k + 1] = power_w if is_last else plan.stages[k].power_w or 0.0
            line.device[t, n, k] = self._first_devices[n] + stage.device
        line.micro_batches[t, n] = cost.micro_batches
        line.embedding_s[t, n] = cluster.embedding_s
        line.decoder_s[t, n] = cluster.decoder_s * cost.micro_batches
        line.upload_s[t, n], line.upload_w[t, n] = cost.upload_s, power_w
        hop_bits = sum(segments.hop_bits(stage.last) for stage in cost.stages)
        line.num_bytes[t, n] = (cost.micro_batches * hop_bits + segments.upload_bits) / 8

    @cached_property
    def _first_devices(self) -> list[int]:
        sizes = [len(cluster.devices) for cluster in self.problem.instance.clusters]
        return [0, *np.cumsum(sizes).tolist()]

    @cached_property
    def predicted(self) -> Predicted:
        """What the problem says of a round in the mean of those that are played."""
        rounds = self.settings.rounds
        slots = [self._costs[number % self.period] for number in range(rounds)]
        return Predicted(
            time_s=math.fsum(slot.latency_s for slot in slots) / rounds,
            bytes_moved=None,
            energy_j=math.fsum(math.fsum(slot.energy_j.values()) for slot in slots) / rounds,
        )

    @property
    def period(self) -> int:
        """Rounds that belong together: all slots."""
        return len(self.plan.slots)

    @cached_property
    def _costs(self) -> list[SlotCost]:
        return self.problem.costs(self.plan)

    @property
    def floats_of_a_round(self) -> int:
        """How many numbers a round takes at once."""
        _, clusters, stations = self.line.station_s.shape
        return int(clusters * (12 * stations + 32))

    def play(self, chance: Chance, rounds: int) -> Rounds:
        """Play the first rounds of a chunk, from the first slot on."""
        slots = np.arange(rounds) % self.period
        line = self.line.at(slots)
        return self._ended(line, self._passed(line, chance), chance)

    def _passed(self, line: Line, chance: Chance) -> _Passed:
        """Let all micro-batches pass the lines."""
        jitter, shape = self.settings.jitter, line.micro_batches.shape
        stations = line.station_s.shape[2]

        def noisy(seconds: Array, kind: int, station: int, m: int) -> Array:
            variation, what = (
                (jitter.transfer, Drawn.TRANSFER) if kind == TRANSFER else (jitter.compute, Drawn.COMPUTE)
            )
            return seconds * chance.factors(variation, shape, what, station, m)

        station_s = line.station_s.copy()
        station_s[:, :, ::2] *= self._speed_factors[line.device]
        begin = np.zeros((_NUM_KINDS, *shape))
        begin[COMPUTE] = noisy(line.embedding_s, COMPUTE, stations, 0)
        free = np.zeros((stations + 1, _NUM_KINDS, *shape))
        energy_j = np.zeros(shape)
        for m in range(int(line.micro_batches.max(initial=0))):
            active, now = m < line.micro_batches, begin
            for s in range(stations):
                kind = TRANSFER if s % 2 else COMPUTE
                seconds = noisy(station_s[:, :, s], kind, s, m)
                now = np.where(free[s].sum(axis=0) > now.sum(axis=0), free[s], now)
                now[kind] += seconds
                free[s] = np.where(active, now, free[s])
                energy_j += np.where(active, line.station_w[:, :, s] * seconds, 0.0)
            free[stations] = np.where(active, now, free[stations])
        spent, uploading = free[stations], noisy(line.upload_s, TRANSFER, stations, 1)
        spent[COMPUTE] += noisy(line.decoder_s, COMPUTE, stations, 1)
        spent[TRANSFER] += uploading
        return _Passed(spent, energy_j + line.upload_w * uploading)

    @cached_property
    def _speed_factors(self) -> Array:
        return node_factors(self.settings.seed, self.settings.jitter.node, self._first_devices[-1])

    def _ended(self, line: Line, passed: _Passed, chance: Chance) -> Rounds:
        """Put clusters together to slots; those that lose a device are skipped or begin anew."""
        rounds, clusters = line.micro_batches.shape
        takes_part = line.micro_batches.ravel() > 0
        seconds = passed.seconds.ravel()
        spent = np.zeros((4, rounds * clusters))
        spent[[COMPUTE, TRANSFER]] = passed.spent_s.reshape(_NUM_KINDS, -1)
        fate = self._fate(line, takes_part, seconds, chance)
        spent[WAITING], spent[LOST] = fate.waiting, fate.lost
        spent[:, fate.skipped] = 0.0
        share = np.where(fate.skipped, 0.0, 1.0) + fate.lost / np.where(seconds > 0, seconds, 1.0)
        share = np.where(takes_part, share, 0.0).reshape(rounds, clusters)
        end = np.where(takes_part & ~fate.skipped, fate.end, 0.0).reshape(rounds, clusters)
        slowest = np.argmax(end, axis=1)
        by_kind = spent.reshape(4, rounds, clusters)[:, np.arange(rounds), slowest]

        def summed(values: Array) -> Array:
            total: Array = values.reshape(rounds, clusters).sum(axis=1)
            return total

        return Rounds(
            end.max(axis=1),
            by_kind[COMPUTE],
            by_kind[TRANSFER],
            by_kind[WAITING],
            by_kind[LOST],
            summed(line.num_bytes * share),
            summed(passed.energy_j * share),
            summed(np.where(takes_part, fate.attempts_lost, 0.0)),
            np.zeros(rounds),
            summed((takes_part & fate.skipped).astype(np.float64)),
        )

    def _fate(self, line: Line, takes_part: Flags, seconds: Array, chance: Chance) -> _Fate:
        """What becomes of the slot of every cluster; a lane each."""
        lanes = seconds.size
        presences = [
            Partly(presence_of(chance, self.settings.churn, lanes, k), line.device[:, :, k].ravel() >= 0)
            for k in range(line.device.shape[2] if self.settings.churn else 0)
        ]
        nobody, start = np.zeros(lanes, dtype=np.bool_), np.zeros(lanes)
        if not presences or self.settings.policy(self.problem) == WAIT:
            carried = carry_out(presences, start, seconds)
            return _Fate(carried.end, carried.waiting, carried.lost, carried.attempts_lost, nobody)
        at = np.flatnonzero(takes_part)
        there, leave = ~takes_part, np.full(lanes, np.inf)
        there[at] = all_there_from(presences, at, start[at]) == 0
        leave[at] = first_to_leave(presences, at, start[at])
        cut = there & (leave < seconds)
        return _Fate(seconds, start, np.where(cut, leave, 0.0), cut.astype(np.float64), cut | ~there)


_NUM_KINDS = 2  # computing and transfers


class _Passed(NamedTuple):
    """What the slot of each cluster takes that is not cut short, by kind, in shape (2, slots, clusters)."""

    spent_s: Array
    energy_j: Array

    @property
    def seconds(self) -> Array:
        """Of both kinds."""
        total: Array = np.sum(self.spent_s, axis=0)
        return total


class _Fate(NamedTuple):
    """What became of it."""

    end: Array
    waiting: Array
    lost: Array
    attempts_lost: Array
    skipped: Flags
