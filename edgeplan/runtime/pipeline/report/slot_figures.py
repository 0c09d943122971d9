"""The figures of one slot: stage by stage, hop by hop, cluster by cluster.

A stage's time is that of a micro-batch, forward and backward: the median over the slot. A hop's is that of
an activation and the gradient back, alone. A cluster's latency begins when all processes do, and ends when
its parameters are at the server.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from edgeplan.runtime.pipeline.course import leg_of
from edgeplan.runtime.pipeline.job import Job
from edgeplan.runtime.pipeline.slots import PlannedCluster, PlannedSlot
from edgeplan.runtime.pipeline.stages.events import (
    ACTIVATION,
    BACKWARD,
    FORWARD,
    GRADIENT,
    RECEIVED,
    SENT,
    UNCOUNTED,
    UPLOAD,
)
from edgeplan.runtime.processes.records import Event

JsonObject = dict[str, Any]


@dataclass(frozen=True)
class SlotFigures:
    """Figures of a slot, from what its processes saw.

    Parameters
    ----------
    job, slot
        What was run; the job is in the leg that made the slot.
    events
        Of all processes in this slot.
    """

    job: Job
    slot: PlannedSlot
    events: tuple[Event, ...]

    @classmethod
    def of(cls, job: Job, slot: PlannedSlot, events: Iterable[Event]) -> SlotFigures:
        """Take the slot's events from all."""
        return cls(job, slot, tuple(event for event in events if event.get("slot") == slot.number))

    @classmethod
    def of_all(cls, job: Job, events: Iterable[Event]) -> list[SlotFigures]:
        """Return the figures of all slots, each with the job in the leg that made it."""
        legs = [job.in_leg(index) for index in range(len(job.legs))]
        sinces, events = [leg.leg.since for leg in legs], list(events)
        makers = [legs[leg_of(sinces, number)] for number in range(1, job.num_slots + 1)]
        return [
            cls.of(maker, maker.slots[number - maker.leg.since - 1], events)
            for number, maker in enumerate(makers, start=1)
        ]

    def seen(self, kind: str, **members: Any) -> list[Event]:
        """Return the events of this kind with these members, in order."""
        return [
            event
            for event in self.events
            if event["event"] == kind and all(event[name] == value for name, value in members.items())
        ]

    @cached_property
    def begin_s(self) -> float:
        """When the slot began: the last process that was there."""
        return float(max(event["moment_s"] for event in self.seen("begun")))

    @cached_property
    def stages(self) -> list[JsonObject]:
        """What every stage took."""
        return [entry for cluster in self.slot.clusters for entry in self._stages(cluster)]

    @cached_property
    def hops(self) -> list[JsonObject]:
        """What every hop and upload moved."""
        return [entry for cluster in self.slot.clusters for entry in self._hops(cluster)]

    @cached_property
    def clusters(self) -> list[JsonObject]:
        """What every cluster took."""
        return [self._cluster(cluster) for cluster in self.slot.clusters]

    @property
    def round(self) -> JsonObject:
        """The slot as a round of the report."""
        (score,) = self.seen("scored")
        prints = {event["fingerprint"] for event in self.seen("averaged")}
        return {
            "round": self.slot.number,
            "time_s": max(entry["measured"]["latency_s"] for entry in self.clusters),
            "predicted_time_s": self.slot.latency_s,
            "bytes_moved": sum(hop["received_bytes"] for hop in self.hops),
            "uncounted_bytes": sum(event["bytes"] for event in self.seen(UNCOUNTED)),
            "loss": score["loss"],
            "accuracy": score["accuracy"],
            "encoders_equal": len(prints) == 1,
            "clusters": self.clusters,
            "hops": self.hops,
        }

    def failures(self) -> Iterator[str]:
        """Yield what did not go as it had to."""
        place = f"slot {self.slot.number}"
        for hop in self.hops:
            if not hop["predicted_bytes"] == hop["sent_bytes"] == hop["received_bytes"]:
                yield (
                    f"{place}, {hop['what']} of {hop['source']} to {hop['target']}: predicted "
                    f"{hop['predicted_bytes']} bytes, sent {hop['sent_bytes']}, received "
                    f"{hop['received_bytes']}"
                )
        if not self.round["encoders_equal"]:
            yield f"{place}: the encoders of the clusters differ after the average"

    def _stages(self, cluster: PlannedCluster) -> Iterator[JsonObject]:
        for source, target, stage in cluster.hops:
            (memory,) = self.seen("measured", rank=stage.rank)
            (alone,) = self.seen("rehearsed", source=source, target=target)
            moved = cluster.micro_batches * stage.hop_bytes
            yield {
                "round": self.slot.number,
                "cluster": cluster.name,
                "node": stage.device,
                "layers": list(stage.layers),
                "in_flight": stage.in_flight,
                "predicted": {
                    "compute_s": stage.cost.compute_s,
                    "transfer_out_s": stage.cost.transfer_s,
                    "memory_bytes": stage.cost.memory_bytes,
                    "bytes_out": moved,
                    "bytes_in": moved,
                },
                "measured": {
                    "compute_s": self._micro_batch_s(stage.rank),
                    "transfer_out_s": alone["transfer_s"],
                    "memory_bytes": memory["memory_bytes"],
                    "bytes_out": self._bytes(SENT, ACTIVATION, source),
                    "bytes_in": self._bytes(RECEIVED, GRADIENT, source),
                },
            }

    def _micro_batch_s(self, rank: int) -> float:
        """Return the seconds of a micro-batch, forward and backward."""
        passes = [
            [event["end_s"] - event["begin_s"] for event in self.seen(kind, rank=rank)]
            for kind in (FORWARD, BACKWARD)
        ]
        both = (forward + backward for forward, backward in zip(*passes, strict=True))
        return float(statistics.median(both))

    def _hops(self, cluster: PlannedCluster) -> Iterator[JsonObject]:
        for source, target, stage in cluster.hops:
            moved = cluster.micro_batches * stage.hop_bytes
            yield self._hop(ACTIVATION, source, target, moved)
            yield self._hop(GRADIENT, target, source, moved)
        yield self._hop(UPLOAD, cluster.control, cluster.server, cluster.upload_bytes)

    def _hop(self, what: str, source: int, target: int, predicted: int) -> JsonObject:
        return {
            "what": what,
            "source": self.job.cast[source].name,
            "target": self.job.cast[target].name,
            "predicted_bytes": predicted,
            "sent_bytes": self._bytes(SENT, what, source),
            "received_bytes": self._bytes(RECEIVED, what, target),
        }

    def _bytes(self, kind: str, what: str, rank: int) -> int:
        return sum(event["bytes"] for event in self.seen(kind, what=what, rank=rank))

    def _cluster(self, cluster: PlannedCluster) -> JsonObject:
        (sent,) = self.seen(SENT, what=UPLOAD, rank=cluster.control)
        (arrived,) = self.seen(RECEIVED, what=UPLOAD, rank=cluster.server)
        (trained,) = self.seen("trained", rank=cluster.server)
        return {
            "cluster": cluster.name,
            "micro_batches": cluster.micro_batches,
            "samples": cluster.samples,
            "train_loss": trained["loss"],
            "predicted": {"latency_s": cluster.cost.latency_s, "upload_s": cluster.cost.upload_s},
            "measured": {
                "latency_s": arrived["moment_s"] - self.begin_s,
                "upload_s": arrived["moment_s"] - sent["moment_s"],
            },
        }
