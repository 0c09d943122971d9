"""Whether a cluster can run the encoder at all, and one way in which it can.

One micro-batch needs the least memory at every stage, so a cluster has a structure exactly if it has one with
one micro-batch. Then every stage holds one micro-batch wherever it stands, and the search goes over sets of
devices from the last block towards the first, devices of equal abilities taken as one type. Reaching further
never hurts, unless some device cannot send: then every reach is tried. Of too many sets those are kept that
waste the least memory; where these do not lead to the first block, nothing is decided. What all devices
can hold, each for itself, decides many cases before any search.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edgeplan.solvers.segment_scheduling.slot_arrays import InstanceArrays, Structure

MAX_STATES = 20_000
_KEPT = 40  # of more states than are allowed one in so many is kept


class UndecidedError(Exception):
    """There are too many sets of devices, and the most promising ones lead nowhere."""


Stages = tuple[tuple[int, int], ...]
"""Devices with the first block of each, from the last stage on."""
States = dict[tuple[int, ...], dict[int, Stages]]
"""Stages by how many devices of each type they use and the first block that they reach."""


@dataclass(frozen=True)
class Feasibility:
    """The memory and links of one cluster, as far as any structure needs them.

    Parameters
    ----------
    arrays
        The instance.
    cluster
        Index of the cluster.
    present
        Whether each device is there.
    heard
        Devices that are taken as able to send, whatever their power and band.
    max_states
        Most states of the search over sets of devices of one size.
    """

    arrays: InstanceArrays
    cluster: int
    present: Sequence[bool]
    heard: Collection[int] = ()
    max_states: int = MAX_STATES

    @property
    def uploads(self) -> bool:
        """Whether what must be uploaded can be."""
        problem = self.arrays.problem
        if not problem.segments.uploads:
            return True
        power_w = problem.instance.clusters[self.cluster].uplink_max_power_w
        return power_w > 0 and problem.instance.uplink_bandwidth_hz > 0

    def structure(self, unlimited: int | None = None) -> Structure | None:
        """Return a structure that fits with one micro-batch, or None where none does.

        Parameters
        ----------
        unlimited
            Index of a device whose memory is taken as unlimited.

        Raises
        ------
        UndecidedError
            When there are too many sets of devices to try.
        """
        if not self.uploads:
            return None
        least = self._least_start
        if unlimited is not None:
            least = least.copy()
            least[unlimited] = 0
        devices = [index for index, there in enumerate(self.present) if there]
        given = self.arrays.problem.instance.clusters[self.cluster].node_order == "given"
        if sum(self._room(least[device]) for device in devices) < self._need[-1]:
            return None
        stages = self._in_given_order(least, devices) if given else self._in_any_order(least, devices)
        if stages is None:
            return None
        starts = [start for _, start in stages]
        ends = [self.arrays.num_blocks, *starts[:-1]]
        return Structure(1, tuple(i for i, _ in reversed(stages)), tuple(reversed(ends)))

    @cached_property
    def _least_start(self) -> np.ndarray:
        first = int(self.arrays.first_device[self.cluster])
        return self.arrays.least_start[first : first + len(self.present), 0, :]

    @cached_property
    def _need(self) -> list[int]:
        """Bytes of the blocks before each with one micro-batch."""  # (6)
        memory_bytes = self.arrays.problem.segments.memory_bytes
        return [0, *(memory_bytes(0, last, 1) for last in range(self.arrays.num_blocks))]

    def _room(self, least: np.ndarray) -> int:
        """Most bytes of blocks in a row that fit a device."""
        need = self._need
        return max(need[end] - need[min(int(start), end)] for end, start in enumerate(least))

    @cached_property
    def _silent(self) -> list[bool]:
        """Whether each device can send nothing."""
        cluster = self.arrays.problem.instance.clusters[self.cluster]
        return [
            (cluster.d2d_bandwidth_hz == 0 or device.max_power_w == 0) and index not in self.heard
            for index, device in enumerate(cluster.devices)
        ]

    @cached_property
    def _sends_behind(self) -> list[bool]:
        """Whether bits flow behind the blocks before each; behind the last the control unit sends."""
        segments = self.arrays.problem.segments
        return [False, *(segments.hop_bits(b) > 0 for b in range(segments.num_blocks - 1)), False]

    def _starts(self, least: np.ndarray, device: int, end: int) -> Iterator[int]:
        """First blocks of a stage of the device that ends before `end`: the furthest, or every one."""
        if self._silent[device] and self._sends_behind[end]:
            return
        first = int(least[device, end])
        if first < end:
            yield from range(first, end) if any(self._silent) else (first,)

    def _in_given_order(self, least: np.ndarray, devices: Sequence[int]) -> Stages | None:
        """Reach as far as possible with each device from the last on, used or not."""
        reached: dict[int, Stages] = {self.arrays.num_blocks: ()}
        for device in reversed(devices):
            further = dict(reached)
            for end, stages in reached.items():
                for start in self._starts(least, device, end):
                    further.setdefault(start, (*stages, (device, start)))
            reached = further
        return reached.get(0)

    def _greedily(self, least: np.ndarray, devices: Sequence[int]) -> Stages | None:
        """From the last block on take the device that reaches furthest, whatever that leaves."""
        end, left, stages = self.arrays.num_blocks, list(devices), list[tuple[int, int]]()
        while end > 0:
            reach = [(min(self._starts(least, device, end), default=end), device) for device in left]
            start, device = min(reach, default=(end, -1))
            if start == end:
                return None
            stages.append((device, start))
            left.remove(device)
            end = start
        return tuple(stages)

    def _in_any_order(self, least: np.ndarray, devices: Sequence[int]) -> Stages | None:
        """Search over how many devices of each type serve, where the greedy choice does not do."""
        greedy = self._greedily(least, devices)
        if greedy is not None:
            return greedy
        types: dict[tuple[bytes, bool], list[int]] = {}
        for device in devices:
            types.setdefault((least[device].tobytes(), self._silent[device]), []).append(device)
        members, every, dropped = list(types.values()), any(self._silent), False
        states: States = {(0,) * len(members): {self.arrays.num_blocks: ()}}
        for _ in devices:
            following: States = {}
            for used, reached in states.items():
                for k, group in enumerate(members):
                    if used[k] == len(group):
                        continue
                    entry = following.setdefault((*used[:k], used[k] + 1, *used[k + 1 :]), {})
                    for end, stages in reached.items():
                        for start in self._starts(least, group[used[k]], end):
                            if start == 0:
                                return (*stages, (group[used[k]], 0))
                            entry.setdefault(start, (*stages, (group[used[k]], start)))
            states = {used: reached for used, reached in following.items() if reached}
            if not every:
                states = {used: dict([min(reached.items())]) for used, reached in states.items()}
            if sum(map(len, states.values())) > self.max_states // (_KEPT if dropped else 1):
                dropped, states = True, self._roomiest(states, least, members)
        if dropped:
            raise UndecidedError
        return None

    def _roomiest(self, states: States, least: np.ndarray, members: Sequence[Sequence[int]]) -> States:
        """Return the states whose unused devices have most room beyond what the blocks left need."""
        room = [self._room(least[group[0]]) for group in members]

        def spare(state: tuple[tuple[int, ...], int]) -> int:
            used, start = state
            return -self._need[start] - sum(count * most for count, most in zip(used, room, strict=True))

        every = [(used, start) for used, reached in states.items() for start in reached]
        kept: States = {}
        for used, start in sorted(every, key=spare, reverse=True)[: self.max_states // _KEPT]:
            kept.setdefault(used, {})[start] = states[used][start]
        return kept
