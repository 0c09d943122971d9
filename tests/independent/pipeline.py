"""Equations (9) to (11): the pipeline schedule, in which nodes work on micro-batches at the same time."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import ceil

from independent.case import Case, Document, Run, Stage, exact


@dataclass(frozen=True)
class Link:
    """What one micro-batch takes from a stage to the next one: activations there, gradients back."""

    activation_s: Fraction
    gradient_s: Fraction
    num_bytes: int

    @property
    def seconds(self) -> Fraction:
        return self.activation_s + self.gradient_s


NO_LINK = Link(Fraction(0), Fraction(0), 0)


class Pipeline(Case):
    """The instance with the equations of stages and links.

    `available_s` and the fields of the serial schedule have no part in any of them; a node that is
    named as server is a node like all others.
    """

    def __init__(self, document: Document) -> None:
        super().__init__(document)
        self.trains = self.training.get("pass", "training") == "training"
        self.all_at_once = document.get("in_flight", "1f1b") == "gpipe"
        self.overlap = document.get("overlap", True)
        self.num_micro_batches: int = document.get("micro_batches", 1)
        self.micro_batch: int
        self.micro_batch, left = divmod(self.training["batch_size"], self.num_micro_batches)
        assert not left
        self.memory = lru_cache(None)(self._memory)
        self.stage_time = lru_cache(None)(self._stage_time)
        self.link = lru_cache(None)(self._link)

    def memory_of(self, stages: list[Stage], k: int) -> Fraction:
        """Equation (9); k is counted from 0 here, so K - k + 1 stages are K - k of them."""
        behind = self.num_micro_batches if self.all_at_once else len(stages) - k
        return self.memory(stages[k][1], min(self.num_micro_batches, behind))

    def _memory(self, run: Run, in_flight: int) -> Fraction:
        around = range(max(0, run[0] - 1), run[-1] + 1)
        buffers = 2 * self.micro_batch * self.largest_output(around)
        parameters = self.total("parameters", run)
        if not self.trains:
            return self.reserve_bytes + self.weight_bytes * parameters + buffers
        saved = in_flight * self.micro_batch * self.total("saved_bytes", run)
        return self.reserve_bytes + self.state_bytes() * parameters + saved + buffers

    def _stage_time(self, node: int, run: Run) -> Fraction:
        """Equation (10): t."""
        timings = self.timings(node)
        if timings is not None:
            passes = ["forward_s", "backward_s"] if self.trains else ["forward_s"]
            seconds = sum((exact(timings[index][way]) for index in run for way in passes), Fraction(0))
            return self.micro_batch * seconds
        parts = ["forward_flops"]
        if self.trains:
            parts += ["input_gradient_flops", "weight_gradient_flops"]
        flops = sum((self.total(part, run) for part in parts), Fraction(0))
        return self.micro_batch * flops / exact(self.nodes[node]["flops_per_s"])

    def _reads(self, layer: int) -> set[int]:
        """Layers whose output a layer reads; the samples themselves are no layer's."""
        inputs = self.layers[layer].get("inputs")
        if inputs is None:
            return {layer - 1} if layer else set()
        return {self.layer_of[name] for name in inputs if name != "input"}

    def crossing(self, end: int) -> int:
        """X of equation (10): output bytes of a sample from before `end` that are read from there on."""
        read = set().union(*(self._reads(layer) for layer in range(end, len(self.layers))))
        return sum(self.layers[index]["output_bytes"] for index in read if index < end)

    def _link(self, source: int, target: int, end: int) -> Link:
        """Equation (10): u, for the layers before `end` on source and those from there on target."""
        num_bytes = self.micro_batch * self.crossing(end)
        there = self.move(source, target, Fraction(num_bytes))
        if not self.trains:
            return Link(there, Fraction(0), num_bytes)
        return Link(there, self.move(target, source, Fraction(num_bytes)), 2 * num_bytes)

    def metrics(self, stages: list[Stage]) -> Document:
        """Equation (11)."""
        times = [self.stage_time(node, run) for node, run in stages]
        between = [self.link(a, b, run[-1] + 1) for (a, run), (b, _) in itertools.pairwise(stages)]
        # links[k] comes before stage k, links[k + 1] after it
        links = [NO_LINK, *between, NO_LINK]
        around = [links[k].seconds + t + links[k + 1].seconds for k, t in enumerate(times)]
        bottleneck = max([*times, *(link.seconds for link in between)] if self.overlap else around)
        num_repeats = self.num_micro_batches - 1
        time = sum(times, Fraction(0)) + sum(link.seconds for link in between) + num_repeats * bottleneck
        energy = price = Fraction(0)
        for k, (node, _) in enumerate(stages):
            sending = links[k + 1].activation_s + links[k].gradient_s
            energy += self.figure(node, "compute_power_w") * times[k]
            energy += self.figure(node, "transmit_power_w") * sending
            price += self.figure(node, "price_per_s") * around[k]
        shown = [self._shown(stages, k, times[k], (links[k], links[k + 1]), time) for k in range(len(stages))]
        return {
            "time_s": time,
            "energy_j": self.num_micro_batches * energy,
            "price": self.num_micro_batches * price,
            "bottleneck_s": bottleneck,
            "bytes_moved": sum(stage["bytes_out"] for stage in shown),
            "stages": shown,
        }

    def _shown(
        self, stages: list[Stage], k: int, t: Fraction, links: tuple[Link, Link], end: Fraction
    ) -> Document:
        """Figures of one stage over the batch; in and out are its links, each in both directions."""
        node = self.nodes[stages[k][0]]
        before, after = links
        return {
            "node": node["id"],
            "memory_bytes": ceil(self.memory_of(stages, k)),
            "memory_budget_bytes": node["memory_bytes"],
            "start_s": Fraction(0),
            "end_s": end,
            "compute_s": self.num_micro_batches * t,
            "transfer_in_s": self.num_micro_batches * before.seconds,
            "transfer_out_s": self.num_micro_batches * after.seconds,
            "bytes_in": self.num_micro_batches * before.num_bytes,
            "bytes_out": self.num_micro_batches * after.num_bytes,
        }
