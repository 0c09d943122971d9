"""The report of data parallelism, in the words of that of a plan.

Predicted seconds are equation (7) on the buckets that DDP made. An aggregation lasts from when the first
bucket is full on all devices to the end of the last one; a round is the slowest device's step and that, so
what is left of the backward pass after the first bucket counts twice, which flatters nobody but a plan, by
less than a step.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.rivals.sparse_update.data_parallel.job import DataParallelJob
from edgeplan.models.sparse_update.network import CollectiveCosts
from edgeplan.models.sparse_update.plan_cost import device_cost
from edgeplan.runtime.processes.records import Event
from edgeplan.runtime.sparse.execution.phases import largest_update
from edgeplan.runtime.sparse.execution.report.phase_figures import same, total
from edgeplan.runtime.sparse.execution.report.seen import Seen

JsonObject = dict[str, Any]


def report(job: DataParallelJob, events: Iterable[Event]) -> JsonObject:
    """Build the report from the events of all processes."""
    seen = Seen(events)
    numbers = range(1, job.run_job.settings.rounds + 1)
    rounds = [_round(job, seen, number) for number in numbers]
    return {
        "kind": "data_parallel",
        "name": job.run_job.problem.instance.name,
        "settings": job.run_job.settings.to_document(),
        "bucket_cap_mb": job.bucket_cap_mb,
        "buckets": seen.all("trained", None, 1)[0]["buckets"],
        "rounds": rounds,
        "totals": _totals(job, seen, rounds),
    }


def _round(job: DataParallelJob, seen: Seen, number: int) -> JsonObject:
    trained = seen.all("trained", None, number)
    scores = seen.all("scored", None, number) or [{"loss": None, "accuracy": None}]
    step_s = max(event["processor_s"] * _slowdown(job, seen, event["rank"]) for event in trained)
    aggregation_s = max(e["end_s"] for e in trained) - min(e["begin_s"] for e in trained)
    return {
        "round": number,
        "time_s": step_s + aggregation_s,
        "step_s": step_s,
        "aggregation_s": aggregation_s,
        "bytes_moved": total(event["sent_bytes"] for event in trained),
        "buckets": same(tuple(event["buckets"]) for event in trained),
        "loss": scores[0]["loss"],
        "accuracy": scores[0]["accuracy"],
    }


def _slowdown(job: DataParallelJob, seen: Seen, rank: int) -> float:
    """Seconds of the device for a processor second here, as in a run of a plan."""
    instance = job.run_job.problem.instance
    full = device_cost(instance, rank, largest_update(instance)[rank])
    return float(full.step_s / seen.all("calibrated")[rank]["processor_s"])


def _totals(job: DataParallelJob, seen: Seen, rounds: Sequence[JsonObject]) -> JsonObject:
    last = rounds[-1]
    predicted_bytes = round(job.dense.aggregation.bytes_moved)
    measured_bytes = same(entry["bytes_moved"] for entry in rounds)
    buckets = same(entry["buckets"] for entry in rounds)
    return {
        "predicted_aggregation_s": _predicted_s(job, buckets),
        "measured_aggregation_s": statistics.median(entry["aggregation_s"] for entry in rounds),
        "measured_step_s": statistics.median(entry["step_s"] for entry in rounds),
        "predicted_step_s": max(cost.step_s for cost in job.dense.device_costs),
        "measured_round_s": statistics.median(entry["time_s"] for entry in rounds),
        "predicted_bytes_per_round": predicted_bytes,
        "measured_bytes_per_round": measured_bytes,
        "bytes_equal": None if measured_bytes is None else measured_bytes == predicted_bytes,
        "predicted_num_collectives": None if job.bucket_cap_mb is None else len(job.dense.updated),
        "measured_num_collectives": len(buckets),
        "mean_predicted_memory_bytes": statistics.fmean(c.memory_bytes for c in job.dense.device_costs),
        "mean_measured_memory_bytes": statistics.fmean(e["peak_bytes"] for e in seen.all("measured")),
        "contribution": sum(cost.contribution for cost in job.dense.device_costs),
        "start_accuracy": seen.all("scored", None, 0)[0]["accuracy"],
        "accuracy": last["accuracy"],
        "loss": last["loss"],
    }


def _predicted_s(job: DataParallelJob, buckets: Sequence[int]) -> float:
    costs, names = CollectiveCosts(job.run_job.problem.instance), job.run_job.names
    return sum(costs.all_reduce(names, num_bytes).seconds for num_bytes in buckets)
