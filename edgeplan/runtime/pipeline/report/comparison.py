"""The report of a run: what the problem predicted beside what was measured."""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterable, Iterator, Sequence

from edgeplan.runtime.emulation.links import Shape
from edgeplan.runtime.emulation.modes import NONE
from edgeplan.runtime.emulation.probing import exactness, speed_entry
from edgeplan.runtime.pipeline.course import losses
from edgeplan.runtime.pipeline.job import Job
from edgeplan.runtime.pipeline.report.notes import notes_on
from edgeplan.runtime.pipeline.report.slot_figures import JsonObject, SlotFigures
from edgeplan.runtime.pipeline.slots import flops_of
from edgeplan.runtime.pipeline.wire import wire_entries
from edgeplan.runtime.processes.records import Event
from edgeplan.runtime.report.deviations import deviation_of, missed
from edgeplan.runtime.report.wire import leaks


def run_report(job: Job, events: Iterable[Event], *, torch_version: str) -> JsonObject:
    """Build the report from the events of all processes.

    Parameters
    ----------
    job
        The run.
    events
        What the processes saw.
    torch_version
        Version that ran.
    """
    events = list(events)
    slots = SlotFigures.of_all(job, events)
    rounds = [slot.round for slot in slots]
    stages = [entry for slot in slots for entry in slot.stages]
    totals = _totals(rounds, events)
    deviations = _deviations(stages, rounds)
    failures = [failure for slot in slots for failure in slot.failures()]
    wire = wire_entries(job, slots)
    failures += leaks(wire)
    failures += missed(deviations, job.settings.tolerances)
    return {
        "format": "edgeplan/1",
        "kind": "run",
        "problem": job.problem.name,
        "instance_sha256": job.problem.instance_sha256,
        "name": job.problem.instance.name,
        "passed": not failures,
        "failures": failures,
        "settings": job.settings.to_document(),
        "machine": _machine(job, events, torch_version),
        "emulation": _emulation(job, slots, events),
        "notes": notes_on(job, rounds),
        "lost": losses(job.legs, job.num_slots),
        "nodes": [
            {"node": job.cast[event["rank"]].name, "role": job.cast[event["rank"]].role}
            | {"rank": event["rank"], "process_peak_bytes": event["process_peak_bytes"]}
            for event in events
            if event["event"] == "ended"
        ],
        "stages": stages,
        "rounds": rounds,
        "totals": totals,
        "deviations": deviations,
        "wire": wire,
        "baseline": None,
    }


def _machine(job: Job, events: Sequence[Event], torch_version: str) -> JsonObject:
    whole_s = next(event["wall_s"] for event in events if event["event"] == "calibrated")
    return {
        "cores": os.cpu_count(),
        "torch": torch_version,
        "calibrated_flops_per_s": flops_of(job.problem) / whole_s,
    }


def _emulation(job: Job, slots: Sequence[SlotFigures], events: Sequence[Event]) -> JsonObject:
    """Return how devices and links were imitated, and how exactly."""
    links = [entry for slot in slots for entry in _links(slot)] if job.settings.emulation != NONE else []
    held = (event for event in events if event["event"] == "held")
    speeds = [speed_entry(job.cast[event["rank"]].name, event) for event in held]
    return {"mode": job.settings.emulation, "slower": job.slower, "links": links, "speeds": speeds}


def _links(figures: SlotFigures) -> Iterator[JsonObject]:
    for cluster in figures.slot.clusters:
        for source, target, stage in cluster.hops:
            (alone,) = figures.seen("rehearsed", source=source, target=target)
            lasted_s = max(alone["transfer_s"] - alone["empty_s"], 1e-9)
            achieved = {"latency_s": alone["empty_s"] / 2, "bit_per_s": 16 * stage.hop_bytes / lasted_s}
            names = {"source": figures.job.cast[source].name, "target": figures.job.cast[target].name}
            yield (
                {"round": figures.slot.number} | names | exactness(Shape(0.0, stage.hop_bit_per_s), achieved)
            )


def _deviations(stages: Sequence[JsonObject], rounds: Sequence[JsonObject]) -> dict[str, float | None]:
    """Return how far the run was from its prediction: of bytes the worst hop, else medians."""

    def over(some: Iterable[JsonObject], name: str) -> list[tuple[float, float]]:
        return [(one["predicted"][name], one["measured"][name]) for one in some]

    hops = (hop for entry in rounds for hop in entry["hops"])
    clusters = [cluster for entry in rounds for cluster in entry["clusters"]]
    return {
        "bytes": deviation_of(((hop["predicted_bytes"], hop["received_bytes"]) for hop in hops), max),
        "memory": deviation_of(over(stages, "memory_bytes")),
        "transfer": deviation_of([*over(stages, "transfer_out_s"), *over(clusters, "upload_s")]),
        "compute": deviation_of(over(stages, "compute_s")),
        "round": deviation_of((entry["predicted_time_s"], entry["time_s"]) for entry in rounds),
    }


def _totals(rounds: Sequence[JsonObject], events: Sequence[Event]) -> JsonObject:
    hops = [hop for entry in rounds for hop in entry["hops"]]
    (start,) = (event for event in events if event["event"] == "scored" and event["slot"] == 0)
    return {
        "predicted_round_s": statistics.mean(entry["predicted_time_s"] for entry in rounds),
        "measured_round_s": statistics.mean(entry["time_s"] for entry in rounds),
        "predicted_bytes": sum(hop["predicted_bytes"] for hop in hops),
        "measured_bytes": sum(hop["received_bytes"] for hop in hops),
        "bytes_equal": all(
            hop["predicted_bytes"] == hop["sent_bytes"] == hop["received_bytes"] for hop in hops
        ),
        "uncounted_bytes": sum(entry["uncounted_bytes"] for entry in rounds),
        "encoders_equal": all(entry["encoders_equal"] for entry in rounds),
        "loss_before": start["loss"],
        "loss": rounds[-1]["loss"],
        "accuracy": rounds[-1]["accuracy"],
    }
