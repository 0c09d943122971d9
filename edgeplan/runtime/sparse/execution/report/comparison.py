"""The report of a run: what the problem predicted beside what was measured, and the dense baseline."""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterable, Iterator, Sequence

from edgeplan.runtime.emulation.modes import NONE
from edgeplan.runtime.emulation.probing import exactness, speed_entry
from edgeplan.runtime.processes.records import Event
from edgeplan.runtime.report.deviations import missed
from edgeplan.runtime.report.wire import leaks
from edgeplan.runtime.sparse.execution.device.calibration import flops_of
from edgeplan.runtime.sparse.execution.job import Job
from edgeplan.runtime.sparse.execution.phases import largest_update
from edgeplan.runtime.sparse.execution.report.incidents import losses
from edgeplan.runtime.sparse.execution.report.notes import notes_on
from edgeplan.runtime.sparse.execution.report.phase_figures import JsonObject, PhaseFigures
from edgeplan.runtime.sparse.execution.report.seen import Seen
from edgeplan.runtime.sparse.execution.wire import wire_entries
from edgeplan.runtime.sparse.layers import TracedLayer


def run_report(
    job: Job, layers: Sequence[TracedLayer], events: Iterable[Event], *, torch_version: str
) -> JsonObject:
    """Build the report from the events of all processes.

    Parameters
    ----------
    job
        The run.
    layers
        Layers of the network.
    events
        What the processes saw.
    torch_version
        Version that ran.
    """
    seen = Seen(events)
    plan, *others = (PhaseFigures(job, index, layers, seen) for index in range(len(job.phases)))
    deviations, wire = plan.deviations(), wire_entries(job, seen)
    failures = [
        *_over_limit(plan),
        *(failure for one in (plan, *others) for failure in one.failures()),
        *leaks(wire),
        *missed(deviations, job.settings.tolerances),
    ]
    return {
        "format": "edgeplan/1",
        "kind": "run",
        "problem": job.problem.name,
        "instance_sha256": job.problem.instance_sha256,
        "name": job.problem.instance.name,
        "passed": not failures,
        "failures": failures,
        "settings": job.settings.to_document(),
        "workload": job.workload.settings.to_document(),
        "machine": _machine(job, seen, torch_version),
        "emulation": _emulation(job, seen),
        "notes": notes_on(job, plan.rounds),
        "wire": wire,
        "nodes": [_node(job, seen, rank) for rank in range(len(job.names))],
        "lost": losses(job),
        **plan.to_document(),
        "deviations": deviations,
        "baseline": _baseline(job, others[0]) if others else None,
    }


def _node(job: Job, seen: Seen, rank: int) -> JsonObject:
    ended = seen.latest("ended").get(rank)
    return {
        "node": job.names[rank],
        "rank": rank,
        "process_peak_bytes": ended["process_peak_bytes"] if ended else None,
    }


def _emulation(job: Job, seen: Seen) -> JsonObject:
    """Return how devices and links were imitated, and how exactly."""
    last = len(job.legs) - 1
    probed = {(e["source"], e["target"]): e for e in seen.all("probed") if e["leg"] == last}
    links = [
        {"source": job.present[source], "target": job.present[target]}
        | exactness(job.links.between(source, target), probed[source, target])
        for source, target in (job.hops if job.settings.emulation != NONE else ())
    ]
    speeds = [speed_entry(job.names[rank], event) for rank, event in seen.latest("held").items()]
    return {"mode": job.settings.emulation, "slower": job.slower, "links": links, "speeds": speeds}


def _over_limit(plan: PhaseFigures) -> Iterator[str]:
    for device in plan.devices:
        taken, limit = device["measured"]["memory_bytes"], device["limit_bytes"]
        if taken > limit:
            yield f"device {device['id']}: a step took {taken} bytes, more than its {limit}"


def _machine(job: Job, seen: Seen, torch_version: str) -> JsonObject:
    instance = job.problem.instance
    largest = largest_update(instance)
    rates = [
        flops_of(instance, rank, largest[rank]) / event["processor_s"]
        for rank, event in seen.latest("calibrated").items()
    ]
    return {
        "cores": os.cpu_count(),
        "torch": torch_version,
        "calibrated_flops_per_s": statistics.median(rates),
    }


def _baseline(job: Job, figures: PhaseFigures) -> JsonObject:
    document = figures.to_document()
    return {
        "name": figures.name,
        **document,
        "accuracy": document["totals"]["accuracy"],
        "bytes_per_round": document["totals"]["measured_bytes_per_round"],
        "device_iterations": job.settings.local_steps
        * sum(entry["num_devices"] for entry in document["rounds"]),
    }
