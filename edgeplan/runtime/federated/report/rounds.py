"""Each round as it was: who took part, what moved, how good the network was after it."""

from __future__ import annotations

from typing import Any

from edgeplan.models.federated import ClientCost
from edgeplan.runtime.federated.job import Job
from edgeplan.runtime.report.events import Events

JsonObject = dict[str, Any]
TIMES = ("transfer_in_s", "compute_start_s", "compute_s", "transfer_out_s", "end_s")


def round_entry(job: Job, events: Events, number: int) -> JsonObject:
    """Return one round: its time, bytes, score, clients, and who was lost in it.

    Prediction and measurement are those of the clients whose update counted.
    """
    lost = {name: entry for entry in losses(job, events) if (name := entry["node"])}
    gone = {name for name, entry in lost.items() if entry["round"] <= number}
    cost = job.stated.round_cost(number - 1, without=gone)
    clients = [_client_entry(job, events, number, one) for one in cost.clients]
    weights = sum(client["weight"] for client in clients)
    for client in clients:
        client["share"] = client["weight"] / weights if weights else None
    score = events.get("scored", round=number)
    return {
        "round": number,
        "time_s": max((client["measured"]["end_s"] for client in clients), default=0.0),
        "predicted_time_s": cost.time_s,
        "bytes_moved": sum(
            client["measured"][way] for client in clients for way in ("bytes_in", "bytes_out")
        ),
        "predicted_bytes_moved": cost.bytes_moved,
        "loss": score["loss"],
        "accuracy": score["accuracy"],
        "clients": clients,
        "lost": [name for name, entry in lost.items() if entry["round"] == number],
    }


def losses(job: Job, events: Events) -> list[JsonObject]:
    """Return who was lost, when and why; round 0 is before the first."""
    found = ((rank, events.find("lost", rank=rank)) for rank in range(job.server_rank))
    return [
        {"node": job.names[rank], "round": one["round"], "when": one["when"], "reason": one["reason"]}
        for rank, one in found
        if one is not None
    ]


def _client_entry(job: Job, events: Events, number: int, cost: ClientCost) -> JsonObject:
    rank = job.names.index(cost.node)
    seen = events.get("took_part", rank=rank, round=number)
    told = events.find("told", rank=rank, round=number)
    received_s = seen["received_s"]
    return {
        "node": cost.node,
        "local_steps": cost.local_steps,
        "batch_size": cost.batch_size,
        "weight": job.weight(rank, number - 1),
        "predicted": {name: getattr(cost, name) for name in ("bytes_in", "bytes_out", *TIMES)},
        "measured": {
            "bytes_in": told["received_bytes"] if told else seen["sent_bytes"],
            "bytes_out": seen["received_bytes"],
            "transfer_in_s": received_s,
            "compute_start_s": seen["start_s"],
            "compute_s": seen["trained_s"] - seen["start_s"],
            "transfer_out_s": seen["end_s"] - seen["trained_s"],
            "end_s": seen["end_s"],
        },
        "train_loss": seen["loss"],
        "window_missed": seen["window_missed"],
        "bytes_exact": _bytes_are_exact(cost, seen, told),
        "parameters_equal": _parameters_are_equal(seen, told),
        "trained_changed": seen["received"] != seen["sent"],
    }


def _bytes_are_exact(cost: ClientCost, seen: JsonObject, told: JsonObject | None) -> bool:
    """Say whether both ends moved what equation (1) says, to the byte."""
    down, up = {cost.bytes_in, seen["sent_bytes"]}, {cost.bytes_out, seen["received_bytes"]}
    if told is not None:
        down, up = down | {told["received_bytes"]}, up | {told["sent_bytes"]}
    return len(down) == len(up) == 1


def _parameters_are_equal(seen: JsonObject, told: JsonObject | None) -> bool | None:
    """Say whether both ends held the same bits; None for a client that could not tell any more."""
    if told is None:
        return None
    return bool(told["received"] == seen["sent"] and told["sent"] == seen["received"])
