"""The report of a run: what equations (9) to (11) predicted beside what was measured.

A stage's time is that of a micro-batch, forward and backward, in the median; a hop's that of an activation
and the gradient back, alone. A batch begins when all processes do, and ends with the last backward pass.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from edgeplan.runtime.emulation.links import Shape
from edgeplan.runtime.emulation.modes import KERNEL, NONE
from edgeplan.runtime.emulation.probing import exactness, speed_entry
from edgeplan.runtime.pipeline.batches.job import BatchJob, flops_of
from edgeplan.runtime.pipeline.batches.seen import Seen
from edgeplan.runtime.pipeline.batches.wire import wire_entries
from edgeplan.runtime.pipeline.course import losses
from edgeplan.runtime.pipeline.stages.events import ACTIVATION, BACKWARD, FORWARD, GRADIENT, RECEIVED, SENT
from edgeplan.runtime.processes.records import Event
from edgeplan.runtime.report.deviations import deviation_of, missed
from edgeplan.runtime.report.emulated import HELD
from edgeplan.runtime.report.trace import Span, trace_document
from edgeplan.runtime.report.wire import leaks

JsonObject = dict[str, Any]


@dataclass(frozen=True)
class SeenLeg:
    """What was seen of a leg that made some batches: the job as it was, and the numbers of the batches."""

    job: BatchJob
    seen: Seen
    numbers: range


def legs_of(job: BatchJob, events: Iterable[Event]) -> list[SeenLeg]:
    """Return the legs that made batches."""
    events = list(events)
    ends = [*(leg.since for leg in job.legs[1:]), job.settings.rounds]
    return [
        SeenLeg(
            job.in_leg(index),
            Seen(event for event in events if event["leg"] == index),
            range(leg.since + 1, end + 1),
        )
        for index, (leg, end) in enumerate(zip(job.legs, ends, strict=True))
        if end > leg.since
    ]


def incident_line(job: BatchJob, leg: int) -> str:
    """Say who was lost before a leg, and how the run goes on.

    Parameters
    ----------
    job
        The run.
    leg
        Index of the leg.
    """
    lost = ", ".join(f"{one.node} {one.how} ({one.doing})" for one in job.legs[leg].lost)
    then = job.legs[leg]
    if then.since == job.settings.rounds:
        return f"{lost}; on after the last batch"
    return f"{lost}; on from batch {then.since + 1} by {' > '.join(job.in_leg(leg).nodes)}"


def _on_losses(job: BatchJob) -> Iterator[str]:
    for leg in range(1, len(job.legs)):
        yield incident_line(job, leg)
    if len(job.legs) > 1:
        yield (
            "the batch in which a node was lost was made anew by the plan of those left, beside whose "
            "prediction it is set; a new first stage reads the same images, a new last one their labels"
        )


def run_report(job: BatchJob, events: Iterable[Event], *, torch_version: str) -> JsonObject:
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
    seen, legs = Seen(events), legs_of(job, events)
    rounds = [_round(leg.job, leg.seen, number) for leg in legs for number in leg.numbers]
    stages = [
        _stage(leg.job, leg.seen, rank, [rounds[number - 1] for number in leg.numbers])
        for leg in legs
        for rank in leg.job.ranks
    ]
    deviations = _deviations(stages, rounds)
    wire = [
        entry for leg in legs for number in leg.numbers for entry in wire_entries(leg.job, leg.seen, number)
    ]
    failures = [*_failures(rounds), *leaks(wire), *missed(deviations, job.settings.tolerances)]
    return {
        "format": "edgeplan/1",
        "kind": "run",
        "problem": job.problem.name,
        "instance_sha256": job.whole.instance_sha256,
        "name": job.whole.instance.name,
        "passed": not failures,
        "failures": failures,
        "settings": job.settings.to_document(),
        "machine": {
            "cores": os.cpu_count(),
            "torch": torch_version,
            "calibrated_flops_per_s": flops_of(job) / seen.all("calibrated")[0]["wall_s"],
        },
        "emulation": _emulation(job, Seen(event for event in events if event["leg"] == len(job.legs) - 1)),
        "notes": [*_on_losses(job), *_notes(job)],
        "lost": losses(job.legs, job.settings.rounds),
        "nodes": [
            {"node": job.members[event["rank"]], "rank": event["rank"]}
            | {"process_peak_bytes": event["process_peak_bytes"]}
            for event in seen.all("ended")
        ],
        "wire": wire,
        "stages": stages,
        "rounds": rounds,
        "totals": {
            "predicted_round_s": statistics.median(entry["predicted_time_s"] for entry in rounds),
            "measured_round_s": statistics.median(entry["time_s"] for entry in rounds),
            "predicted_bytes_per_round": statistics.mean(entry["predicted_bytes_moved"] for entry in rounds),
            "measured_bytes_per_round": statistics.mean(entry["bytes_moved"] for entry in rounds),
            "bytes_equal": not list(_failures(rounds)),
            "loss": rounds[-1]["loss"],
            "accuracy": rounds[-1]["accuracy"],
        },
        "deviations": deviations,
        "baseline": None,
    }


def _round(job: BatchJob, seen: Seen, number: int) -> JsonObject:
    hops = [hop for rank in job.ranks[:-1] for hop in _hops(job, seen, rank, number)]
    score, begin_s = seen.one("scored", batch=number), seen.begin_s(number)
    return {
        "round": number,
        "time_s": max(event["end_s"] for event in seen.all(BACKWARD, batch=number)) - begin_s,
        "predicted_time_s": job.cost.time_s,
        "predicted_bytes_moved": job.cost.bytes_moved,
        "bytes_moved": sum(hop["received_bytes"] for hop in hops),
        "train_loss": seen.one("trained", batch=number)["loss"],
        "loss": score["loss"],
        "accuracy": score["accuracy"],
        "hops": hops,
    }


def _hops(job: BatchJob, seen: Seen, rank: int, number: int) -> Iterator[JsonObject]:
    for what, source, target in ((ACTIVATION, rank, rank + 1), (GRADIENT, rank + 1, rank)):
        yield {
            "what": what,
            "source": job.nodes[source],
            "target": job.nodes[target],
            "predicted_bytes": job.num_micro_batches * job.hop_bytes(rank),
            "sent_bytes": seen.bytes(SENT, what, source, number),
            "received_bytes": seen.bytes(RECEIVED, what, target, number),
        }


def _stage(job: BatchJob, seen: Seen, rank: int, rounds: Sequence[JsonObject]) -> JsonObject:
    visit, stage, m = job.cost.visits[rank], job.plan.stages[rank], job.num_micro_batches
    passes = [
        [event["end_s"] - event["begin_s"] for event in seen.all(kind, rank=rank)]
        for kind in (FORWARD, BACKWARD)
    ]
    alone = seen.all("rehearsed", source=rank)
    moved = [
        sum(hop["received_bytes"] for hop in rounds[-1]["hops"] if {hop["source"], hop["target"]} == ends)
        for ends in ({job.nodes[rank - 1], stage.node}, {stage.node, job.nodes[(rank + 1) % len(job.nodes)]})
    ]
    is_last = rank == job.ranks[-1]
    return {
        "node": stage.node,
        "layers": list(stage.layers),
        "in_flight": job.in_flight(rank),
        "predicted": {
            "compute_s": visit.compute_s / m,
            "transfer_out_s": visit.transfer_out_s / m,
            "memory_bytes": visit.memory_bytes,
            "bytes_in": visit.bytes_in,
            "bytes_out": visit.bytes_out,
        },
        "measured": {
            "compute_s": statistics.median(sum(both) for both in zip(*passes, strict=True)),
            "transfer_out_s": alone[0]["transfer_s"] if alone else 0.0,
            "memory_bytes": seen.one("measured", rank=rank)["memory_bytes"],
            "bytes_in": moved[0] if rank else 0,
            "bytes_out": 0 if is_last else moved[1],
        },
    }


def _failures(rounds: Sequence[JsonObject]) -> Iterator[str]:
    for entry in rounds:
        for hop in entry["hops"]:
            if not hop["predicted_bytes"] == hop["sent_bytes"] == hop["received_bytes"]:
                yield (
                    f"batch {entry['round']}, {hop['what']} of {hop['source']} to {hop['target']}: predicted "
                    f"{hop['predicted_bytes']} bytes, sent {hop['sent_bytes']}, received "
                    f"{hop['received_bytes']}"
                )


def _deviations(stages: Sequence[JsonObject], rounds: Sequence[JsonObject]) -> dict[str, float | None]:
    """Return how far the run was from its prediction: of bytes the worst hop, else medians."""

    def over(name: str) -> float | None:
        return deviation_of((one["predicted"][name], one["measured"][name]) for one in stages)

    hops = (hop for entry in rounds for hop in entry["hops"])
    return {
        "bytes": deviation_of(((hop["predicted_bytes"], hop["received_bytes"]) for hop in hops), max),
        "memory": over("memory_bytes"),
        "transfer": over("transfer_out_s"),
        "compute": over("compute_s"),
        "round": deviation_of((entry["predicted_time_s"], entry["time_s"]) for entry in rounds),
    }


def _emulation(job: BatchJob, seen: Seen) -> JsonObject:
    links = []
    for rank in job.ranks[:-1] if job.settings.emulation != NONE else ():
        alone, there, back = seen.one("rehearsed", source=rank), *_both(job, rank)
        lasted_s = max(alone["transfer_s"] - alone["empty_s"], 1e-9)
        achieved = {"latency_s": alone["empty_s"] / 2, "bit_per_s": 16 * job.hop_bytes(rank) / lasted_s}
        # Both directions were tried together: of their rates the mean is what the time shows.
        rate = 2 / (1 / there.bit_per_s + 1 / back.bit_per_s) if there.bit_per_s and back.bit_per_s else 0.0
        shape = Shape((there.latency_s + back.latency_s) / 2, rate)
        names = {"source": job.nodes[rank], "target": job.nodes[rank + 1]}
        links.append(names | exactness(shape, achieved))
    speeds = [speed_entry(job.nodes[event["rank"]], event) for event in seen.all("held")]
    return {"mode": job.settings.emulation, "slower": job.slower, "links": links, "speeds": speeds}


def _both(job: BatchJob, rank: int) -> tuple[Shape, Shape]:
    return job.links.between(rank, rank + 1), job.links.between(rank + 1, rank)


def _notes(job: BatchJob) -> Iterator[str]:
    instance = job.problem.instance
    if job.settings.emulation == NONE:
        yield "links and speeds were not imposed: measured times are this machine's own"
    elif job.settings.emulation == KERNEL:
        yield HELD
    else:
        yield (
            "links and speeds were imposed by waiting inside the processes; a pass is stretched by one "
            "calibrated factor, so its time still tests equation (10)"
        )
    yield (
        "equation (10) adds the gradient's transfer to the activation's; here links carry both directions at "
        "once, as the network of the instance does"
    )
    if not instance.overlap:
        yield "the plan counts transfers and computing one after the other; here they overlap"
    yield (
        "a stamp of 8 bytes before each message is not counted, nor the layers that the last stage collects "
        "after a batch to score them, and gives to the first stage, so that none is lost with its node"
    )
    yield (
        "memory is the peak of live tensors in a stage's passes; buffers of messages, of which PyTorch's "
        "pipelining keeps one a micro-batch, are left out, and so are reserved bytes"
    )


def trace_of(job: BatchJob, events: Iterable[Event]) -> dict[str, Any]:
    """Return the trace of a run; a batch begins when planned and measured ones before it have ended.

    Parameters
    ----------
    job
        The run.
    events
        What the processes saw.
    """
    legs = legs_of(job, events)
    made = [(leg, number) for leg in legs for number in leg.numbers]
    lasted = (
        max(leg.job.cost.time_s or 0.0, _round(leg.job, leg.seen, number)["time_s"]) for leg, number in made
    )
    placed = list(zip(accumulate(lasted, initial=0.0), made, strict=False))
    planned = (span for start_s, (leg, number) in placed for span in _planned(leg.job, number, start_s))
    measured = (
        span for start_s, (leg, number) in placed for span in _measured(leg.job, leg.seen, number, start_s)
    )
    names = dict.fromkeys(name for leg in legs for name in leg.job.nodes)
    return trace_document(list(names), planned, measured)


def _planned(job: BatchJob, number: int, start_s: float) -> Iterator[Span]:
    """Yield what equation (11) adds up: every stage begins a micro-batch once in a bottleneck."""
    m, begin_s = job.num_micro_batches, start_s
    for visit, name in zip(job.cost.visits, job.nodes, strict=True):
        for micro_batch in range(m):
            first_s = begin_s + micro_batch * job.cost.bottleneck_s
            figures = {"batch": number, "micro_batch": micro_batch}
            yield Span("forward and backward", name, first_s, first_s + visit.compute_s / m, figures)
        begin_s += (visit.compute_s + visit.transfer_out_s) / m


def _measured(job: BatchJob, seen: Seen, number: int, start_s: float) -> Iterator[Span]:
    shift_s = start_s - seen.begin_s(number)
    for kind in (FORWARD, BACKWARD):
        for event in seen.all(kind, batch=number):
            ends = event["begin_s"] + shift_s, event["end_s"] + shift_s
            figures = {"batch": number, "micro_batch": event["micro_batch"]}
            yield Span(kind, job.nodes[event["rank"]], *ends, figures)
