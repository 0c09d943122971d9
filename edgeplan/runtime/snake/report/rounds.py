"""Each round as it was: who worked when, what moved, how good the network was after it."""

from __future__ import annotations

from typing import Any

from edgeplan.runtime.processes.records import Event
from edgeplan.runtime.report.events import Events
from edgeplan.runtime.snake.itinerary import PlannedVisit
from edgeplan.runtime.snake.job import Job

JsonObject = dict[str, Any]


def round_entry(job: Job, events: Events, round_number: int) -> JsonObject:
    """Return one round: its time, bytes, loss, accuracy, visits and hops.

    Parameters
    ----------
    job
        With the plan by which the round ended.
    events
        Of all processes.
    round_number
        Of the round; where it was interrupted, it has no time, and only the transfers that came through.
    """
    timeline = [
        _visit_entry(visit, trained, events)
        for visit in job.visits
        if (trained := events.find("trained", round=round_number, stage=visit.stage))
    ]
    interrupted = job.is_interrupted(round_number)
    hops = [hop for visit in job.visits for hop in _hops(job, visit, events, round_number)]
    if interrupted:
        hops = [hop for hop in hops if hop["sent_bytes"] and hop["received_bytes"]]
    score = events.get("scored", phase="snake", round=round_number)
    return {
        "round": round_number,
        "interrupted": interrupted,
        "time_s": None if interrupted else timeline[-1]["end_s"],
        "predicted_time_s": job.problem.cost(job.plan).time_s,
        "bytes_moved": sum(hop["received_bytes"] for hop in hops),
        "loss": score["loss"],
        "accuracy": score["accuracy"],
        "perplexity": score["perplexity"],
        "timeline": timeline,
        "hops": hops,
    }


def _visit_entry(visit: PlannedVisit, trained: Event, events: Events) -> JsonObject:
    place = {"round": trained["round"], "stage": visit.stage}
    inbound, outbound = (events.find("received", hop=hop, **place) for hop in ("in", "out"))
    begin, end = inbound or {"start_s": trained["start_s"]}, outbound or trained
    return {
        "node": visit.node,
        "start_s": begin["start_s"],
        "transfer_in_s": inbound["end_s"] - inbound["start_s"] if inbound else 0.0,
        "compute_start_s": trained["start_s"],
        "compute_s": trained["end_s"] - trained["start_s"],
        "transfer_out_s": outbound["end_s"] - outbound["start_s"] if outbound else 0.0,
        "end_s": end["end_s"],
        "bytes_in": inbound["bytes"] if inbound else 0,
        "bytes_out": outbound["bytes"] if outbound else 0,
        "train_loss": trained["loss"],
        "window_missed": trained["window_missed"],
        "frozen_unchanged": trained["frozen_unchanged"],
        "frozen_bytes_checked": trained["frozen_bytes_checked"],
        "trained_changed": trained["trained_changed"],
    }


def _hops(job: Job, visit: PlannedVisit, events: Events, round_number: int) -> list[JsonObject]:
    """Compare what left one process, what arrived at the other, and what equation (6) says."""
    server = job.problem.instance.server
    before = server or job.visits[visit.stage - 1].node
    ends = {"in": (before, visit.node), "out": (visit.node, server)}
    predicted = {"in": visit.predicted.bytes_in, "out": visit.predicted.bytes_out}
    entries = []
    for hop, (source, target) in ends.items():
        place = {"round": round_number, "stage": visit.stage, "hop": hop}
        sent, received = events.find("sent", **place), events.find("received", **place)
        if sent is None and received is None and not predicted[hop]:
            continue
        entries.append(
            {
                "stage": visit.stage,
                "direction": hop,
                "source": source,
                "target": target,
                "predicted_bytes": predicted[hop],
                "sent_bytes": sent["bytes"] if sent else 0,
                "received_bytes": received["bytes"] if received else 0,
            }
        )
    return entries


def hop_is_exact(hop: JsonObject) -> bool:
    """Say whether both ends moved what equation (6) says, to the byte.

    Examples
    --------
    >>> hop_is_exact({"predicted_bytes": 8, "sent_bytes": 8, "received_bytes": 8})
    True
    """
    return bool(hop["predicted_bytes"] == hop["sent_bytes"] == hop["received_bytes"])
