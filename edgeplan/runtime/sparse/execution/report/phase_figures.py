"""The figures of one phase: device by device, collective by collective, round by round.

Steps are told in seconds of the instance's devices: with the kernel's emulation as they were, else processor
time here, stretched by what the largest update takes there over what it takes here. Times of a device are
medians over the rounds, a collective's over its rehearsals. An aggregation lasts from the begin of the first
device to the end of the last one. A round is the slowest device's steps and the aggregation after them.

Where devices were lost, a round is set beside the prediction for those that made it. Nobody is timed in a
round that had to be made anew; collectives and totals are those of the last leg with a round that had not.
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
from edgeplan.models.sparse_update.plan_cost import PlanCost, device_cost
from edgeplan.runtime.emulation.modes import KERNEL
from edgeplan.runtime.processes.records import Event
from edgeplan.runtime.report.deviations import deviation_of
from edgeplan.runtime.sparse.arithmetic import saved_bytes
from edgeplan.runtime.sparse.execution.course import Position, leg_of
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
    index
        Of the phase.
    layers
        Layers of the network.
    seen
        Events of all processes.
    """

    job: Job
    index: int
    layers: Sequence[TracedLayer]
    seen: Seen

    @property
    def name(self) -> str:
        """Name of the phase."""
        return self.job.phases[self.index].name

    @cached_property
    def _numbers(self) -> range:
        return range(1, self.job.settings.rounds + 1)

    @cached_property
    def _legs(self) -> list[Job]:
        return [self.job.in_leg(leg) for leg in range(len(self.job.legs))]

    def _leg_of(self, number: int) -> int:
        """Index of the leg in which a round was made."""
        return leg_of(self.job.legs, Position(self.index, number))

    def lost_in(self, number: int) -> list[str]:
        """Return the devices that were lost in a round, which the others made anew."""
        following = [leg.since.after(self.job.settings.rounds) for leg in self.job.legs]
        return [
            one.node
            for leg, place in zip(self.job.legs, following, strict=True)
            for one in leg.lost
            if place == (self.index, number)
        ]

    @cached_property
    def _undisturbed(self) -> list[int]:
        return [number for number in self._numbers if not self.lost_in(number)]

    @cached_property
    def _leg(self) -> int:
        """Index of the leg whose figures are told."""
        return self._leg_of((self._undisturbed or self._numbers)[-1])

    @property
    def phase(self) -> Phase:
        """What was trained in that leg, and its collectives."""
        return self._legs[self._leg].phases[self.index]

    @property
    def _rounds_of_leg(self) -> list[JsonObject]:
        return [entry for entry in self.rounds if self._leg_of(entry["round"]) == self._leg]

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
        """Memory and steps of each device that made a round."""
        legs = {self._leg_of(number) for number in self._numbers}
        there = {name for leg in legs for name in self._legs[leg].present}
        return [self._device(rank) for rank, name in enumerate(self.job.names) if name in there]

    @cached_property
    def collectives(self) -> list[JsonObject]:
        """Seconds and bytes of each collective, run alone."""
        return [self._collective(index, one) for index, one in enumerate(self.phase.cost.collectives)]

    @cached_property
    def rounds(self) -> list[JsonObject]:
        """What every round took, moved and reached."""
        return [self._round(number) for number in self._numbers]

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
            place = f"{self.name}, round {entry['round']}"
            if not entry["collectives_complete"]:
                yield f"{place}: the collectives run are not those predicted, or their buffers differ"
            if entry["bytes_moved"] not in (None, entry["predicted_bytes_moved"]):
                predicted = entry["predicted_bytes_moved"]
                yield f"{place}: predicted {predicted} bytes, sent {entry['bytes_moved']}"

    @cached_property
    def _slowdowns(self) -> dict[tuple[int, int], float]:
        """Seconds of each device for a processor second here, by leg and rank."""
        instance = self.job.problem.instance
        largest = largest_update(instance)
        return {
            (event["leg"], event["rank"]): device_cost(instance, event["rank"], largest[event["rank"]]).step_s
            / event["processor_s"]
            for event in self.seen.all("calibrated")
        }

    @cached_property
    def _memory(self) -> dict[int, Event]:
        return self.seen.latest("measured", self.name)

    def _seen(self, kind: str, rank: int, numbers: Iterable[int]) -> list[Event]:
        """What a device saw of a kind, in rounds that it took part in."""
        found = (self.seen.all(kind, self.name, number) for number in numbers)
        return [event for events in found for event in events if event["rank"] == rank]

    def _device(self, rank: int) -> JsonObject:
        cost, memory = self._legs[0].phases[self.index].cost, self._memory[rank]
        trained, own = cost.devices[rank], cost.device_costs[rank]
        ratios = {update.layer: update.ratio for update in trained.updates}
        steps = self._seen("trained", rank, self._undisturbed)
        aggregated = self._seen("aggregated", rank, self._numbers)
        sent = [event["sent_bytes"] for event in aggregated if event["leg"] == aggregated[-1]["leg"]]
        return {
            "id": trained.id,
            "depth": trained.depth,
            "num_updates": len(trained.updates),
            "num_rounds": len(aggregated),
            "limit_bytes": self.job.problem.instance.devices[rank].memory_bytes,
            "predicted": {
                "memory_bytes": own.memory_bytes,
                "peak_bytes": memory["predicted_peak_bytes"],
                "saved_bytes": saved_bytes(self.layers, depth=trained.depth, ratios=ratios),
                "step_s": own.step_s,
            },
            "measured": {
                "memory_bytes": memory["peak_bytes"],
                "saved_bytes": memory["saved_bytes"],
                "eager_saved_bytes": memory["eager_saved_bytes"],
                "step_s": self._step_s(steps),
                "processor_s": median(step["processor_s"] for step in steps),
                "sent_bytes_per_round": same(sent),
            },
        }

    def _step_s(self, trained: Sequence[Event]) -> float | None:
        """Seconds of a step on the device; None where nobody was timed."""
        return median(map(self._lasted_s, trained))

    def _lasted_s(self, event: Event) -> float:
        """Seconds of a step: as they were, or as they follow from processor time."""
        if self.job.settings.emulation == KERNEL:
            return float(event["end_s"] - event["begin_s"]) / self.job.settings.local_steps
        return self._slowdowns[event["leg"], event["rank"]] * float(event["processor_s"])

    def _predicted(self, one: Collective) -> CollectiveCost:
        return cost_of(self.phase.cost.instance, [one], self.phase.cost.updated)

    def _collective(self, index: int, one: Collective) -> JsonObject:
        alone = [
            event
            for event in self.seen.all("rehearsed", self.name)
            if (event["leg"], event["collective"]) == (self._leg, index)
        ]
        return {
            "kind": one.kind,
            "root": one.root,
            "members": list(one.members),
            "num_slices": len(one.slices),
            "num_bytes": self._num_bytes(self.phase.cost)[index],
            "predicted": {"seconds": self._predicted(one).seconds},
            "measured": {"seconds": _typical(alone)},
        }

    def _num_bytes(self, cost: PlanCost) -> list[int]:
        """Predicted bytes of the buffer of each collective."""
        sizes = {key_of(one.slice): one.parameters for one in cost.updated}
        per_parameter = self.job.problem.instance.training.gradient_bytes
        return [
            int(per_parameter * sum(sizes[key_of(part)] for part in one.slices)) for one in cost.collectives
        ]

    def _round(self, number: int) -> JsonObject:
        job = self._legs[self._leg_of(number)]
        cost = job.phases[self.index].cost
        trained = self.seen.all("trained", self.name, number)
        aggregated = self.seen.all("aggregated", self.name, number)
        scored = self.seen.all("scored", self.name, number)
        score = scored[0] if scored else {"loss": None, "accuracy": None}
        slowest_s = max(map(self._lasted_s, trained))
        aggregation_s = max(e["end_s"] for e in aggregated) - min(e["begin_s"] for e in aggregated)
        return {
            "round": number,
            "num_devices": len(job.present),
            "lost": self.lost_in(number),
            "time_s": self.job.settings.local_steps * slowest_s + aggregation_s,
            "predicted_time_s": job.round_s(cost),
            "aggregation_s": aggregation_s,
            "bytes_moved": total(event["sent_bytes"] for event in aggregated),
            "predicted_bytes_moved": round(cost.aggregation.bytes_moved),
            "collectives_complete": self._is_complete(cost, aggregated),
            "train_loss": mean(step["loss"] for step in trained),
            "loss": score["loss"],
            "accuracy": score["accuracy"],
        }

    def _is_complete(self, cost: PlanCost, aggregated: Sequence[JsonObject]) -> bool:
        """Say whether all members ran every collective once, with a buffer as large as predicted."""
        run = sorted((index, event["rank"], size) for event in aggregated for index, size in event["buffers"])
        sizes = self._num_bytes(cost)
        expected = sorted(
            (index, self.job.index_of(name), sizes[index])
            for index, one in enumerate(cost.collectives)
            for name in one.members
        )
        return run == expected

    @cached_property
    def totals(self) -> JsonObject:
        """Figures of a round, and what was reached in the end."""
        cost, of_leg, reached = self.phase.cost, self._rounds_of_leg, self.rounds[-1]
        timed, last = [entry for entry in of_leg if not entry["lost"]], of_leg[-1]
        executed = {
            index
            for event in self.seen.all("aggregated", self.name, last["round"])
            for index, _ in event["buffers"]
        }
        run = [cost.collectives[index] for index in sorted(executed)]
        devices = [one for one in self.devices if one["id"] in self._legs[self._leg].present]
        steps_s = [device["measured"]["step_s"] for device in devices]
        return {
            "predicted_round_s": last["predicted_time_s"],
            "measured_round_s": median(entry["time_s"] for entry in timed),
            "predicted_aggregation_s": cost.overlapped_s,
            "measured_aggregation_s": median(entry["aggregation_s"] for entry in timed),
            "predicted_one_after_another_s": cost.aggregation.seconds,
            "measured_one_after_another_s": math.fsum(one["measured"]["seconds"] for one in self.collectives),
            "predicted_step_s": max(device["predicted"]["step_s"] for device in devices),
            "measured_step_s": max((one for one in steps_s if one is not None), default=None),
            "predicted_bytes_per_round": last["predicted_bytes_moved"],
            "measured_bytes_per_round": same(entry["bytes_moved"] for entry in of_leg),
            "bytes_equal": None if last["bytes_moved"] is None else not list(self.failures()),
            "predicted_num_collectives": len(cost.collectives),
            "measured_num_collectives": len(run),
            "predicted_num_groups": len({one.members for one in cost.updated}),
            "measured_num_groups": len(set(_averaging(run))),
            "process_groups": len({frozenset(one.members) for one in run if len(one.members) > 1}),
            **{
                f"mean_{side}_{name}": statistics.fmean(device[side][name] for device in devices)
                for side, name in _MEANS
            },
            "start_accuracy": self.seen.all("scored", self.name, 0)[0]["accuracy"],
            "accuracy": reached["accuracy"],
            "loss": reached["loss"],
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


def median(values: Iterable[float]) -> float | None:
    """Median of values; None where there are none."""
    known = list(values)
    return statistics.median(known) if known else None


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
