"""In which order the stages of a pipeline and their links do what: GPipe, 1F1B, or forward passes alone.

A unit is a stage or, with overlap, one direction of a link; without overlap a transfer holds the two stages
at its ends. Every unit does its activities in a fixed order, so a batch is a network of activities: each
begins when all those before it have ended.

GPipe: all forward passes, then all backward passes. 1F1B: stage k of K does ``min(N, K - k)`` forward passes,
then one forward and one backward pass in turn, then the backward passes that are left. Without overlap two
stages that each have something for the other exchange the gradient before the activation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import pairwise
from typing import Literal

Pass = Literal["forward", "backward"]


@dataclass(frozen=True, slots=True)
class Activity:
    """A pass of a stage over a micro-batch, or its transfer to a neighbour.

    Parameters
    ----------
    direction
        Forward or backward.
    stage
        Who computes, or who sends.
    micro_batch
        Which micro-batch.
    target
        Who receives; None where it is computing.
    """

    direction: Pass
    stage: int
    micro_batch: int
    target: int | None = None


@dataclass(frozen=True)
class PipelineOrder:
    """The activities of a batch.

    Parameters
    ----------
    num_stages, num_micro_batches
        K and N.
    in_flight
        ``gpipe`` or ``1f1b``.
    is_training
        Whether there are backward passes.
    overlap
        Whether stages compute while they send and receive.
    """

    num_stages: int
    num_micro_batches: int
    in_flight: str
    is_training: bool = True
    overlap: bool = True

    def activities(self) -> list[tuple[Activity, tuple[int, ...]]]:
        """Return the activities, each with the positions of those right before it, all of them earlier.

        Examples
        --------
        >>> [len(before) for _, before in PipelineOrder(2, 1, "gpipe").activities()]
        [0, 1, 1, 1, 1, 2]
        """
        before: dict[Activity, dict[Activity, None]] = {}  # keys as a set in a fixed order
        for sequence in self._sequences():
            for activity in sequence:
                before.setdefault(activity, {})
            for one, after in pairwise(sequence):
                before[after][one] = None
        for activity, known in before.items():
            known.update(dict.fromkeys(needed for needed in self._needed(activity) if needed in before))
        position: dict[Activity, int] = {}
        ordered = []
        for activity in TopologicalSorter(before).static_order():
            ordered.append((activity, tuple(sorted(position[one] for one in before[activity]))))
            position[activity] = len(position)
        return ordered

    def _sequences(self) -> Iterator[list[Activity]]:
        """Yield what each unit does, in its order."""
        passes = [list(self._passes(stage)) for stage in range(self.num_stages)]
        if not self.overlap:
            yield from (list(self._with_transfers(stage, passes[stage])) for stage in range(self.num_stages))
            return
        yield from passes
        links: dict[tuple[int, int], list[Activity]] = defaultdict(list)
        for stage, own in enumerate(passes):
            for one in own:
                for sent in self._sent(one):
                    links[stage, sent.target or 0].append(sent)
        yield from links.values()

    def _passes(self, stage: int) -> Iterator[Activity]:
        count = self.num_micro_batches
        ahead = count if self.in_flight == "gpipe" else min(count, self.num_stages - 1 - stage)
        if not self.is_training:
            ahead = count
        yield from (Activity("forward", stage, m) for m in range(ahead))
        for m in range(ahead, count):
            yield Activity("forward", stage, m)
            yield Activity("backward", stage, m - ahead)
        if self.is_training:
            yield from (Activity("backward", stage, m) for m in range(count - ahead, count))

    def _with_transfers(self, stage: int, passes: list[Activity]) -> Iterator[Activity]:
        """Yield what a stage does that computes, sends and receives one after another."""
        held: list[Activity] = []
        for one, following in zip(passes, [*passes[1:], None], strict=True):
            yield from self._received(one)
            yield from held
            held = []
            yield one
            alternates = following is not None and following.direction == "backward"
            if one.direction == "forward" and alternates and self._in_turn(stage):
                held = list(self._sent(one))
            else:
                yield from self._sent(one)

    def _in_turn(self, stage: int) -> bool:
        return self.in_flight == "1f1b" and self.num_micro_batches > self.num_stages - 1 - stage

    def _received(self, one: Activity) -> Iterable[Activity]:
        source = one.stage - 1 if one.direction == "forward" else one.stage + 1
        if 0 <= source < self.num_stages:
            yield Activity(one.direction, source, one.micro_batch, one.stage)

    def _sent(self, one: Activity) -> Iterable[Activity]:
        target = one.stage + 1 if one.direction == "forward" else one.stage - 1
        if 0 <= target < self.num_stages:
            yield Activity(one.direction, one.stage, one.micro_batch, target)

    def _needed(self, one: Activity) -> Iterable[Activity]:
        """Yield what an activity needs the results of."""
        if one.target is not None:
            yield Activity(one.direction, one.stage, one.micro_batch)
            return
        yield from self._received(one)
        if one.direction == "backward":
            yield Activity("forward", one.stage, one.micro_batch)
