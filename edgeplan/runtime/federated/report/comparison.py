"""The report of a run: what the schedule was to take beside what was measured.

Times are seconds of the instance since the round began. The way in ends when the client may use the
parameters, the way out when the server has all of the update. Averaging and scoring belong to no round.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterable, Iterator, Sequence

from edgeplan.models.federated import Client
from edgeplan.runtime.emulation.probing import exactness, speed_entry
from edgeplan.runtime.federated.job import Job
from edgeplan.runtime.federated.report.notes import notes_on
from edgeplan.runtime.federated.report.restarts import restart_entries
from edgeplan.runtime.federated.report.rounds import JsonObject, losses, round_entry
from edgeplan.runtime.federated.report.wire import wire_entries
from edgeplan.runtime.learning.calibration import full_step_flops
from edgeplan.runtime.learning.privacy.accounting import Taken
from edgeplan.runtime.learning.privacy.private_steps import sample_rate
from edgeplan.runtime.report.deviations import deviation_of, missed
from edgeplan.runtime.report.events import Events
from edgeplan.runtime.report.peaks import predicted_peak
from edgeplan.runtime.report.privacy import privacy_entry, spender
from edgeplan.runtime.report.wire import leaks

SUMMED = ("bytes_in", "bytes_out", "transfer_in_s", "compute_s", "transfer_out_s")


def run_report(job: Job, events: Events, *, buffers: Sequence[str], torch_version: str) -> JsonObject:
    """Build the report from the events of all processes.

    Parameters
    ----------
    job
        The run.
    events
        What the processes saw.
    buffers
        Names of the network's buffers.
    torch_version
        Version that ran.
    """
    rounds = [round_entry(job, events, number) for number in range(1, job.num_rounds + 1)]
    clients = [_client_entry(job, events, rank, rounds) for rank in range(job.server_rank)]
    deviations = _deviations(clients, rounds)
    wire = wire_entries(job, events)
    failures = [*_failures(rounds), *leaks(wire), *missed(deviations, job.settings.tolerances)]
    told = (events.find("calibrated", rank=rank) for rank in range(job.server_rank))
    calibrated = [one for one in told if one is not None]
    step_s = min((one["processor_s"] for one in calibrated), default=None)
    shares = [one["fixed_share"] for one in calibrated if one["fixed_share"] is not None]
    fixed_share = statistics.median(shares) if shares else None
    lost = losses(job, events)
    return {
        "format": "edgeplan/1",
        "kind": "run",
        "problem": job.problem.name,
        "instance_sha256": job.problem.instance_sha256,
        "name": f"{job.stated.schedule.name} on {job.problem.instance.name}",
        "passed": not failures,
        "failures": failures,
        "settings": job.settings.to_document(),
        "machine": {
            "cores": os.cpu_count(),
            "torch": torch_version,
            "calibrated_flops_per_s": full_step_flops(job.problem) / step_s if step_s else None,
            "fixed_share": fixed_share,
        },
        "emulation": _emulation(job, events),
        "notes": notes_on(job, rounds, lost, buffers, step_s=step_s, fixed_share=fixed_share),
        "nodes": [_node_entry(job, events, rank) for rank in range(len(job.names))],
        "wire": wire,
        "lost": lost,
        "restarts": list(restart_entries(job)),
        "clients": clients,
        "rounds": rounds,
        "totals": _totals(rounds),
        "deviations": deviations,
        "privacy": private_section(job, lost),
    }


def private_section(job: Job, lost: Sequence[JsonObject]) -> JsonObject | None:
    """Return what each client has given away; None without differential privacy.

    A client that was lost is taken to have trained in the round of its loss, and everyone twice in a round in
    which the run was ended and went on.
    """
    privacy = job.settings.privacy
    if privacy is None:
        return None
    last = {one["node"]: one["round"] for one in lost}
    spenders = []
    for rank in range(job.server_rank):
        num_rounds = min(last.get(job.names[rank], job.num_rounds), job.num_rounds)
        again = (one.rounds_made for one in job.endings if one.rounds_made < num_rounds)
        parts = (job.part(rank, index) for index in (*range(num_rounds), *again))
        samples = job.num_samples(rank)
        taken = [
            Taken(job.stated.local_steps(part), sample_rate(job.stated.batch_size(part), samples))
            for part in parts
            if part is not None
        ]
        spenders.append(spender(privacy, job.names[rank], samples, taken))
    return privacy_entry(privacy, spenders)


def _emulation(job: Job, events: Events) -> JsonObject:
    """Return how nodes and links were imitated, and how exactly."""
    links, speeds = [], []
    for rank in range(job.server_rank):
        for way, (source, target) in (("down", (job.server_rank, rank)), ("up", (rank, job.server_rank))):
            probed = events.find("probed", rank=rank, way=way)
            if probed is not None:
                ends = {"source": job.names[source], "target": job.names[target]}
                links.append(ends | exactness(job.links.between(source, target), probed))
        held = events.find("held", rank=rank)
        if held is not None:
            speeds.append(speed_entry(job.names[rank], held))
    return {"mode": job.settings.emulation, "slower": job.slower, "links": links, "speeds": speeds}


def _node_entry(job: Job, events: Events, rank: int) -> JsonObject:
    ended = events.find("ended", rank=rank)
    return {
        "node": job.names[rank],
        "rank": rank,
        "role": "server" if rank == job.server_rank else "client",
        "samples": job.num_samples(rank),
        "label_counts": list(job.label_counts[rank]) if rank < job.server_rank else [],
        "process_peak_bytes": ended["process_peak_bytes"] if ended else None,
    }


def _client_entry(job: Job, events: Events, rank: int, rounds: Sequence[JsonObject]) -> JsonObject:
    """Return sums over the rounds in which a client's update counted, and its memory."""
    name = job.names[rank]
    parts = [client for entry in rounds for client in entry["clients"] if client["node"] == name]
    measured = events.find("measured", rank=rank)
    largest = Client(node=name, batch_size=job.largest_batch(rank))
    sums = {
        side: {figure: sum(part[side][figure] for part in parts) for figure in SUMMED}
        for side in ("predicted", "measured")
    }
    layers = [layer.name for layer in job.problem.instance.model.layers]
    peak: JsonObject = {"peak_bytes": None}  # needs what a client that was lost did not tell
    if measured:
        peak = predicted_peak(
            job.stated.figures_of(largest), layers, measured, private=job.settings.privacy is not None
        )
    return {
        "node": name,
        "rounds": len(parts),
        "predicted": sums["predicted"] | {"memory_bytes": job.stated.memory_bytes(largest)} | peak,
        "measured": sums["measured"] | {"memory_bytes": measured["memory_bytes"] if measured else None},
    }


def _deviations(clients: Sequence[JsonObject], rounds: Sequence[JsonObject]) -> dict[str, float | None]:
    """Return how far the run was from its prediction: of bytes the worst, else medians.

    Nobody is timed in a round in which a client was lost.
    """
    parts = [client for entry in rounds for client in entry["clients"]]
    undisturbed = [entry for entry in rounds if not entry["lost"]]
    timed = [client for entry in undisturbed for client in entry["clients"]]

    def pairs(entries: Iterable[JsonObject], *names: str) -> list[tuple[float | None, float | None]]:
        return [(one["predicted"][name], one["measured"][name]) for one in entries for name in names]

    return {
        "bytes": deviation_of(pairs(parts, "bytes_in", "bytes_out"), max),
        "memory": deviation_of(
            (one["predicted"]["peak_bytes"], one["measured"]["memory_bytes"]) for one in clients
        ),
        "transfer": deviation_of(pairs(timed, "transfer_in_s", "transfer_out_s")),
        "compute": deviation_of(pairs(timed, "compute_s")),
        "round": deviation_of((entry["predicted_time_s"], entry["time_s"]) for entry in undisturbed),
    }


def _failures(rounds: Sequence[JsonObject]) -> Iterator[str]:
    for entry in rounds:
        for client in entry["clients"]:
            place = f"round {entry['round']}, {client['node']}"
            if not client["bytes_exact"]:
                predicted, measured = client["predicted"], client["measured"]
                yield (
                    f"{place}: predicted {predicted['bytes_in']} and {predicted['bytes_out']} bytes down and "
                    f"up, moved {measured['bytes_in']} and {measured['bytes_out']}"
                )
            if client["parameters_equal"] is False:
                yield f"{place}: server and client did not hold the same parameters after a transfer"
            if not client["trained_changed"]:
                yield f"{place}: the parameters that it trains did not change"


def _totals(rounds: Sequence[JsonObject]) -> JsonObject:
    return {
        "predicted_s": sum(entry["predicted_time_s"] for entry in rounds),
        "measured_s": sum(entry["time_s"] for entry in rounds),
        "predicted_bytes": sum(entry["predicted_bytes_moved"] for entry in rounds),
        "measured_bytes": sum(entry["bytes_moved"] for entry in rounds),
        "bytes_equal": all(client["bytes_exact"] for entry in rounds for client in entry["clients"]),
        "loss": rounds[-1]["loss"],
        "accuracy": rounds[-1]["accuracy"],
    }
