"""The report of a run: what the problem predicted beside what was measured.

Times are seconds of the round, without the seconds spent on hashing parameters and scoring. A transfer
begins when its sender is ready and ends when the receiver may use it. Times of a stage are medians over the
rounds that followed the last plan from beginning to end; bytes are the same in each of them or the run has
failed.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from edgeplan.runtime.emulation.modes import NONE
from edgeplan.runtime.emulation.probing import exactness, speed_entry
from edgeplan.runtime.learning.calibration import full_step_flops
from edgeplan.runtime.learning.privacy.accounting import Taken
from edgeplan.runtime.learning.privacy.ledger import TAKEN
from edgeplan.runtime.processes.records import Event
from edgeplan.runtime.processes.stopwatch import Spent
from edgeplan.runtime.report.deviations import deviation_of, missed
from edgeplan.runtime.report.events import Events
from edgeplan.runtime.report.peaks import predicted_peak
from edgeplan.runtime.report.privacy import privacy_entry, spender
from edgeplan.runtime.report.wire import leaks
from edgeplan.runtime.snake.itinerary import PlannedVisit
from edgeplan.runtime.snake.job import Job
from edgeplan.runtime.snake.report.notes import notes_on
from edgeplan.runtime.snake.report.rounds import JsonObject, hop_is_exact, round_entry
from edgeplan.runtime.snake.wire import wire_entries

TIMES = ("start_s", "transfer_in_s", "compute_s", "transfer_out_s", "end_s")
BYTES = ("bytes_in", "bytes_out")


def run_report(
    job: Job, seen: Iterable[Event], *, full_step: Spent, buffers: Sequence[str], torch_version: str
) -> JsonObject:
    """Build the report from the events of all processes.

    Parameters
    ----------
    job
        The run.
    seen
        What the processes saw.
    full_step
        Calibrated seconds of a full training step on this machine.
    buffers
        Names of the network's buffers.
    torch_version
        Version that ran.
    """
    events = Events(seen)
    numbers = range(1, job.settings.rounds + 1)
    rounds = [round_entry(job.in_round(number), events, number) for number in numbers]
    whole = [
        entry
        for entry in rounds
        if not entry["interrupted"] and job.in_round(entry["round"]).plan == job.plan
    ]
    stages = [_stage_entry(job, visit, events, whole) for visit in job.visits]
    totals = _totals(job, rounds, whole)
    deviations = _deviations(stages, rounds, totals)
    wire = wire_entries(job, events)
    failures = [*_failures(rounds), *leaks(wire), *missed(deviations, job.settings.tolerances)]
    return {
        "format": "edgeplan/1",
        "kind": "run",
        "problem": job.problem.name,
        "instance_sha256": job.problem.instance_sha256,
        "name": job.problem.instance.name,
        "passed": not failures,
        "failures": failures,
        "settings": job.settings.to_document(),
        "machine": {
            "cores": os.cpu_count(),
            "torch": torch_version,
            "calibrated_flops_per_s": full_step_flops(job.problem) / full_step.wall_s,
        },
        "emulation": _emulation(job, events),
        "notes": notes_on(job, rounds, stages, full_step, buffers),
        "wire": wire,
        "incidents": list(job.incidents),
        "caught_up_bytes": sum(event["bytes"] for event in events.all("caught_up")),
        "nodes": [_node_entry(job, events, rank) for rank in range(job.world_size)],
        "stages": stages,
        "rounds": rounds,
        "totals": totals,
        "deviations": deviations,
        "baseline": _baseline(job, events, rounds),
        "privacy": _privacy(job, events),
    }


def _privacy(job: Job, events: Events) -> JsonObject | None:
    """Return what each node that ever was visited has given away; None without differential privacy."""
    privacy = job.settings.privacy
    if privacy is None:
        return None
    visited = {stage.node for leg in job.legs for stage in leg.plan.stages}
    taken = [(event["seat"], Taken(event["steps"], event["sample_rate"])) for event in events.all(TAKEN)]
    spenders = [
        spender(privacy, node, sum(job.label_counts[seat]), [one for whose, one in taken if whose == seat])
        for seat, node in enumerate(job.holders)
        if node in visited
    ]
    return privacy_entry(privacy, spenders)


def _emulation(job: Job, events: Events) -> JsonObject:
    """Return how nodes and links were imitated, and how exactly."""
    links = []
    for source, target in job.hops if job.settings.emulation != NONE else ():
        probed = events.get("probed", source=source, target=target)
        ends = {"source": job.node_of(source), "target": job.node_of(target)}
        links.append(ends | exactness(job.links.between(source, target), probed))
    holdings = ((visit, events.find("held", stage=visit.stage)) for visit in job.visits)
    speeds = [speed_entry(visit.node, held) for visit, held in holdings if held is not None]
    return {"mode": job.settings.emulation, "slower": job.slower, "links": links, "speeds": speeds}


def _deviations(
    stages: Sequence[JsonObject], rounds: Sequence[JsonObject], totals: JsonObject
) -> dict[str, float | None]:
    """Return how far the run was from its prediction: of bytes the worst hop, else medians."""

    def over(*names: str) -> float | None:
        return deviation_of(
            (one["predicted"][name], one["measured"][name]) for one in stages for name in names
        )

    hops = (hop for entry in rounds for hop in entry["hops"])
    return {
        "bytes": deviation_of(((hop["predicted_bytes"], hop["received_bytes"]) for hop in hops), max),
        "memory": deviation_of(
            (one["predicted"]["peak_bytes"], one["measured"]["memory_bytes"]) for one in stages
        ),
        "transfer": over("transfer_in_s", "transfer_out_s"),
        "compute": over("compute_s"),
        "round": deviation_of([(totals["predicted_round_s"], totals["measured_round_s"])]),
    }


def _failures(rounds: Sequence[JsonObject]) -> Iterable[str]:
    for entry in rounds:
        for hop in entry["hops"]:
            if not hop_is_exact(hop):
                yield f"round {entry['round']}, {_told(hop)}"
        for visit in entry["timeline"]:
            if not visit["frozen_unchanged"]:
                yield f"round {entry['round']}, {visit['node']}: parameters that it may not train changed"
            if visit["trained_changed"] is False:
                yield f"round {entry['round']}, {visit['node']}: the parameters that it trains did not change"


def _told(hop: JsonObject) -> str:
    return (
        f"{hop['source']} to {hop['target']}: predicted {hop['predicted_bytes']} bytes, "
        f"sent {hop['sent_bytes']}, received {hop['received_bytes']}"
    )


def _node_entry(job: Job, events: Events, rank: int) -> JsonObject:
    is_stage, seat = rank < len(job.visits), job.seat_of(job.node_of(rank))
    return {
        "node": job.node_of(rank),
        "rank": rank,
        "samples": job.num_samples(rank) if is_stage else 0,
        "label_counts": list(job.label_counts[seat]) if is_stage else [],
        "divergence": job.divergences[seat] if is_stage else None,
        "distils": is_stage and job.distils(seat),
        "process_peak_bytes": events.get("ended", rank=rank)["process_peak_bytes"],
    }


def _stage_entry(job: Job, visit: PlannedVisit, events: Events, rounds: Sequence[JsonObject]) -> JsonObject:
    seen = [entry["timeline"][visit.stage] for entry in rounds]
    predicted = {name: getattr(visit.predicted, name) for name in (*BYTES, *TIMES, "memory_bytes")}
    measured: JsonObject = {name: _same(entry[name] for entry in seen) for name in BYTES}
    measured |= {name: _median(entry[name] for entry in seen) for name in TIMES}
    memory = events.get("measured", stage=visit.stage)
    private = job.settings.privacy is not None
    predicted |= predicted_peak(job.problem.serial, visit.trained, memory, private=private)
    measured["memory_bytes"] = memory["memory_bytes"]
    return {
        "node": visit.node,
        "layers": list(visit.own),
        "trained_layers": list(visit.trained),
        "predicted": predicted,
        "measured": measured,
        "frozen_unchanged": all(entry["frozen_unchanged"] for entry in seen),
        "frozen_bytes_checked": sum(entry["frozen_bytes_checked"] for entry in seen),
    }


def _median(values: Iterable[float]) -> float | None:
    """Return the median; None of nothing."""
    found = list(values)
    return statistics.median(found) if found else None


def _same(values: Iterable[Any]) -> Any:
    """Return the value that all have in common; None if they differ."""
    distinct = set(values)
    return distinct.pop() if len(distinct) == 1 else None


def _totals(job: Job, rounds: Sequence[JsonObject], whole: Sequence[JsonObject]) -> JsonObject:
    cost = job.problem.cost(job.plan)
    visits = [visit for entry in rounds for visit in entry["timeline"]]
    return {
        "predicted_round_s": cost.time_s,
        "measured_round_s": _median(entry["time_s"] for entry in whole),
        "predicted_bytes_per_round": cost.bytes_moved,
        "measured_bytes_per_round": _same(entry["bytes_moved"] for entry in whole),
        "bytes_equal": all(hop_is_exact(hop) for entry in rounds for hop in entry["hops"]),
        "frozen_unchanged": all(visit["frozen_unchanged"] for visit in visits),
        "frozen_bytes_checked": sum(visit["frozen_bytes_checked"] for visit in visits),
        "loss": rounds[-1]["loss"],
        "accuracy": rounds[-1]["accuracy"],
        "perplexity": rounds[-1]["perplexity"],
    }


def _baseline(job: Job, events: Events, rounds: Sequence[JsonObject]) -> JsonObject | None:
    if job.settings.baseline == "none":
        return None
    entries = []
    for number in range(1, job.settings.rounds + 1):
        score = events.get("scored", phase="fedavg", round=number)
        moved = events.get("averaged", round=number)["bytes"]
        entries.append(
            {"round": number, "bytes_moved": moved}
            | {name: score[name] for name in ("loss", "accuracy", "perplexity")}
        )
    accuracy, per_round = entries[-1]["accuracy"], entries[-1]["bytes_moved"]
    return {
        "name": job.settings.baseline,
        "rounds": entries,
        "accuracy": accuracy,
        "bytes_per_round": per_round,
        "snake_accuracy_ratio": rounds[-1]["accuracy"] / accuracy if accuracy else None,
        "snake_bytes_ratio": rounds[-1]["bytes_moved"] / per_round if per_round else None,
        "device_iterations": len(job.visits) * job.problem.instance.training.local_steps * len(entries),
    }
