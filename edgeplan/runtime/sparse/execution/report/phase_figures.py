"""The figures of one phase: device by device, collective by collective, round by round.

Steps are told in seconds of the instance's devices: with the kernel's emulation as they were, else processor
time here, stretched by what the largest update takes there over what it takes here. Times of a device are
medians over the rounds, a collective's over its rehearsals. An aggregation lasts from the begin of the first
device to the end of the last one. A round is the slowest device's steps and the aggregation after them.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from edgeplan.models.sparse_update.collectives import cost_of, key_of
from edgeplan.models.sparse_update.network import CollectiveCost
from edgeplan.models.sparse_update.plan import Collective
from edgeplan.models.sparse_update.plan_cost import device_cost
from edgeplan.runtime.emulation.modes import KERNEL
from edgeplan.runtime.report.deviations import deviation_of
from edgeplan.runtime.sparse.arithmetic import saved_bytes
from edgeplan.runtime.sparse.execution.job import Job
from edgeplan.runtime.sparse.execution.phases import Phase, largest_update
from edgeplan.runtime.sparse.execution.report.seen import Seen
from edgeplan.runtime.sparse.layers import TracedLayer

JsonObject = dict[str, Any]


@dataclass(frozen=True)
class PhaseFigures:
    """Figures of a phase, from what its processes saw.

    Parameters
    ----------
    job
        The run.
    phase
        What was trained, and the collectives.
    layers
        Layers of the network.
    seen
        Events of all processes.
    """

    job: Job
    phase: Phase
    layers: Sequence[TracedLayer]
    seen: Seen

    def to_document(self) -> JsonObject:
        """Return all figures as plain JSON values."""
        return {
            "devices": self.devices,
            "collectives": self.collectives,
            "rounds": self.rounds,
            "totals": self.totals,
        }

    @cached_property
    def devices(self) -> list[JsonObject]:
        """Memory and steps of each device."""
        return [self._device(rank) for rank in range(len(self.job.names))]

    @cached_property
    def collectives(self) -> list[JsonObject]:
        """Seconds and bytes of each collective, run alone."""
        return [self._collective(index, one) for index, one in enumerate(self.phase.cost.collectives)]

    @cached_property
    def rounds(self) -> list[JsonObject]:
        """What every round took, moved and reached."""
        return [self._round(number) for number in range(1, self.job.settings.rounds + 1)]

    def deviations(self) -> dict[str, float | None]:
        """Return how far the phase was from its prediction: of bytes the worst round, else medians."""

        def over(some: Sequence[JsonObject], name: str) -> float | None:
            return deviation_of((one["predicted"][name], one["measured"][name]) for one in some)

        moved = ((entry["predicted_bytes_moved"], entry["bytes_moved"]) for entry in self.rounds)
        return {
            "bytes": deviation_of(moved, max),
            "memory": deviation_of(
                (one["predicted"]["peak_bytes"], one["measured"]["memory_bytes"]) for one in self.devices
            ),
            "transfer": over(self.collectives, "seconds"),
            "compute": over(self.devices, "step_s"),
            "round": deviation_of([(self.totals["predicted_round_s"], self.totals["measured_round_s"])]),
        }

    def failures(self) -> Iterator[str]:
        """Yield what did not go as predicted and had to."""
        for entry in self.rounds:
            place = f"{self.phase.name}, round {entry['round']}"
            if not entry["collectives_complete"]:
                yield f"{place}: the collectives run are not those predicted, or their buffers differ"
            if entry["bytes_moved"] not in (None, entry["predicted_bytes_moved"]):
                predicted = entry["predicted_bytes_moved"]
                yield f"{place}: predicted {predicted} bytes, sent {entry['bytes_moved']}"

    def _slowdown(self, rank: int) -> float:
        """Seconds of the device for a processor second here."""
        instance = self.job.problem.instance
        full = device_cost(instance, rank, largest_update(instance)[rank])
        return float(full.step_s / self.seen.all("calibrated")[rank]["processor_s"])

    @cached_property
    def _slowdowns(self) -> list[float]:
        return [self._slowdown(rank) for rank in range(len(self.job.names))]

    def _device(self, rank: int) -> JsonObject:
        trained, cost = self.phase.cost.devices[rank], self.phase.cost.device_costs[rank]
        ratios = {update.layer: update.ratio for update in trained.updates}
        memory = self.seen.all("measured", self.phase.name)[rank]
        rounds = range(1, self.job.settings.rounds + 1)
        steps = [self.seen.all("trained", self.phase.name, number)[rank] for number in rounds]
        sent = [self.seen.all("aggregated", self.phase.name, number)[rank]["sent_bytes"] for number in rounds]
        processor_s = statistics.median(step["processor_s"] for step in steps)
        return {
            "id": trained.id,
            "depth": trained.depth,
            "num_updates": len(trained.updates),
            "limit_bytes": self.job.problem.instance.devices[rank].memory_bytes,
            "predicted": {
                "memory_bytes": cost.memory_bytes,
                "peak_bytes": memory["predicted_peak_bytes"],
                "saved_bytes": saved_bytes(self.layers, depth=trained.depth, ratios=ratios),
                "step_s": cost.step_s,
            },
            "measured": {
                "memory_bytes": memory["peak_bytes"],
                "saved_bytes": memory["saved_bytes"],
                "eager_saved_bytes": memory["eager_saved_bytes"],
                "step_s": self._step_s(steps, rank),
                "processor_s": processor_s,
                "sent_bytes_per_round": same(sent),
            },
        }

    def _step_s(self, trained: Sequence[JsonObject], rank: int) -> float:
        """Seconds of a step on the device: as they were, or as they follow from processor time."""
        if self.job.settings.emulation == KERNEL:
            lasted_s = (event["end_s"] - event["begin_s"] for event in trained)
            return float(statistics.median(lasted_s)) / self.job.settings.local_steps
        processor_s = (event["processor_s"] for event in trained)
        return self._slowdowns[rank] * float(statistics.median(processor_s))

    def _predicted(self, one: Collective) -> CollectiveCost:
        return cost_of(self.job.problem.instance, [one], self.phase.cost.updated)

    def _collective(self, index: int, one: Collective) -> JsonObject:
        alone = [
            event for event in self.seen.all("rehearsed", self.phase.name) if event["collective"] == index
        ]
        return {
            "kind": one.kind,
            "root": one.root,
            "members": list(one.members),
            "num_slices": len(one.slices),
            "num_bytes": self._num_bytes[index],
            "predicted": {"seconds": self._predicted(one).seconds},
            "measured": {"seconds": _typical(alone)},
        }

    @cached_property
    def _num_bytes(self) -> list[int]:
        """Predicted bytes of the buffer of each collective."""
        cost = self.phase.cost
        sizes = {key_of(one.slice): one.parameters for one in cost.updated}
        per_parameter = self.job.problem.instance.training.gradient_bytes
        return [
            int(per_parameter * sum(sizes[key_of(part)] for part in one.slices)) for one in cost.collectives
        ]

    def _round(self, number: int) -> JsonObject:
        trained = self.seen.all("trained", self.phase.name, number)
        aggregated = self.seen.all("aggregated", self.phase.name, number)
        scored = self.seen.all("scored", self.phase.name, number)
        score = scored[0] if scored else {"loss": None, "accuracy": None}
        slowest_s = max(self._step_s([event], event["rank"]) for event in trained)
        aggregation_s = max(e["end_s"] for e in aggregated) - min(e["begin_s"] for e in aggregated)
        return {
            "round": number,
            "time_s": self.job.settings.local_steps * slowest_s + aggregation_s,
            "predicted_time_s": self.job.round_s(self.phase.cost),
            "aggregation_s": aggregation_s,
            "bytes_moved": total(event["sent_bytes"] for event in aggregated),
            "predicted_bytes_moved": round(self.phase.cost.aggregation.bytes_moved),
            "collectives_complete": self._is_complete(aggregated),
            "train_loss": mean(step["loss"] for step in trained),
            "loss": score["loss"],
            "accuracy": score["accuracy"],
        }

    def _is_complete(self, aggregated: Sequence[JsonObject]) -> bool:
        """Say whether all members ran every collective once, with a buffer as large as predicted."""
        run = sorted((index, event["rank"], size) for event in aggregated for index, size in event["buffers"])
        index_of = self.job.problem.instance.device_index
        expected = sorted(
            (index, index_of[name], self._num_bytes[index])
            for index, one in enumerate(self.phase.cost.collectives)
            for name in one.members
        )
        return run == expected

    @cached_property
    def totals(self) -> JsonObject:
        """Figures of a round, and what was reached in the end."""
        cost, rounds, last = self.phase.cost, self.rounds, self.rounds[-1]
        executed = {
            index
            for event in self.seen.all("aggregated", self.phase.name, last["round"])
            for index, _ in event["buffers"]
        }
        run = [cost.collectives[index] for index in sorted(executed)]
        return {
            "predicted_round_s": last["predicted_time_s"],
            "measured_round_s": statistics.median(entry["time_s"] for entry in rounds),
            "predicted_aggregation_s": cost.aggregation.seconds,
            "measured_aggregation_s": statistics.median(entry["aggregation_s"] for entry in rounds),
            "measured_one_after_another_s": math.fsum(one["measured"]["seconds"] for one in self.collectives),
            "predicted_step_s": max(device["predicted"]["step_s"] for device in self.devices),
            "measured_step_s": max(device["measured"]["step_s"] for device in self.devices),
            "predicted_bytes_per_round": last["predicted_bytes_moved"],
            "measured_bytes_per_round": same(entry["bytes_moved"] for entry in rounds),
            "bytes_equal": None if last["bytes_moved"] is None else not list(self.failures()),
            "predicted_num_collectives": len(cost.collectives),
            "measured_num_collectives": len(run),
            "predicted_num_groups": len({one.members for one in cost.updated}),
            "measured_num_groups": len(set(_averaging(run))),
            "process_groups": len({frozenset(one.members) for one in run if len(one.members) > 1}),
            **{
                f"mean_{side}_{name}": statistics.fmean(device[side][name] for device in self.devices)
                for side, name in _MEANS
            },
            "start_accuracy": self.seen.all("scored", self.phase.name, 0)[0]["accuracy"],
            "accuracy": last["accuracy"],
            "loss": last["loss"],
        }


_MEANS = (
    ("predicted", "memory_bytes"),
    ("predicted", "peak_bytes"),
    ("measured", "memory_bytes"),
    ("predicted", "saved_bytes"),
    ("measured", "saved_bytes"),
    ("measured", "eager_saved_bytes"),
)


def _typical(alone: Sequence[JsonObject]) -> float:
    """Median over the repeats, each from the first member's begin to the last one's end."""
    repeats = sorted({event["repeat"] for event in alone})
    spans: list[float] = []
    for repeat in repeats:
        events = [event for event in alone if event["repeat"] == repeat]
        spans.append(max(e["end_s"] for e in events) - min(e["begin_s"] for e in events))
    return statistics.median(spans)


def _averaging(run: Sequence[Collective]) -> Iterator[frozenset[str]]:
    """Sets of devices that averaged a slice, and those that told one of their own alone."""
    averaged = {key_of(part) for one in run if one.kind == "all_reduce" for part in one.slices}
    for one in run:
        if one.kind == "all_reduce":
            yield frozenset(one.members)
        elif one.root is not None and not averaged.issuperset(map(key_of, one.slices)):
            yield frozenset([one.root])


def same(values: Iterable[Any]) -> Any:
    """Return the value that all have in common; None if they differ."""
    distinct = set(values)
    return distinct.pop() if len(distinct) == 1 else None


def total(values: Iterable[int | None]) -> int | None:
    """Sum of values; None where one is unknown."""
    known = list(values)
    return None if None in known else sum(value for value in known if value is not None)


def mean(values: Iterable[float | None]) -> float | None:
    """Mean of values; None where one is unknown."""
    known = list(values)
    return None if None in known else statistics.fmean(value for value in known if value is not None)
