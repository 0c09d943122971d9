"""What is left of an instance when slots are done, and devices or clusters gone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from itertools import islice
from typing import Any

from edgeplan.models.segment_scheduling import SegmentPlan, SegmentScheduling
from edgeplan.models.segment_scheduling.instance import NOISE
from edgeplan.runtime.pipeline.course import Leg


def remainder(
    problem: SegmentScheduling, plan: SegmentPlan, done: int, slots: int, away: Collection[str]
) -> SegmentScheduling:
    """Return the instance of the slots that follow, with the queues that the first of them meets.

    A cluster without devices is left out. Where fewer clusters cannot keep the budget of noise by any plan,
    it is raised to the least that they can.

    Parameters
    ----------
    problem, plan
        With everybody.
    done
        Slots of the plan that are done.
    slots
        How many follow.
    away
        Ids of devices, and of clusters whose control unit is gone.

    Raises
    ------
    InvalidInputError
        When no cluster is left.

    Examples
    --------
    >>> from edgeplan.models.segment_scheduling.examples import two_blocks_two_phones
    >>> left = remainder(two_blocks_two_phones(), SegmentPlan(slots=()), 0, 1, {"fast"})
    >>> [device.id for device in left.instance.clusters[0].devices]
    ['slow']
    """
    document = problem.to_document()
    document["clusters"] = [
        cluster | {"devices": [device for device in cluster["devices"] if device["id"] not in away]}
        for cluster in document["clusters"]
        if cluster["id"] not in away
    ]
    document["clusters"] = [cluster for cluster in document["clusters"] if cluster["devices"]]
    clusters = [cluster["id"] for cluster in document["clusters"]]
    devices = [device["id"] for cluster in document["clusters"] for device in cluster["devices"]]
    gains = [*islice(problem.gains(), done, done + slots)]
    document["channels"] = {
        "kind": "trace",
        "d2d": {name: [one.d2d[name] for one in gains] for name in devices},
        "uplink": {name: [one.uplink[name] for one in gains] for name in clusters},
    }
    queues = (problem.costs(plan)[done - 1].queues if done else problem.initial_queues).to_document()
    document["initial_queues"] = {name: queues[name] for name in (*devices, *clusters, NOISE)}
    document["control"] = _control(document, slots)
    return SegmentScheduling.from_document(document)


def _control(document: dict[str, Any], slots: int) -> dict[str, Any]:
    control, training = document["control"], document["training"]
    most = training["micro_batch_size"] * len(document["clusters"]) * training["max_micro_batches"]
    least = control["noise_level"] / max(most, 1)  # (8)
    return dict(control) | {"slots": slots, "noise_budget": max(control["noise_budget"], least)}


def rest_of(
    leg: Leg[SegmentScheduling, SegmentPlan], slot: int, slots: int
) -> Leg[SegmentScheduling, SegmentPlan]:
    """Return the rest of a leg, from the slot after one that is done, with the same plan.

    Parameters
    ----------
    leg
        The leg.
    slot
        The last slot that is done.
    slots
        How many follow.
    """
    done = slot - leg.since
    problem = remainder(leg.problem, leg.plan, done, slots, ())
    last = done + slots
    bounds = leg.plan.slot_bounds[done:last]
    plan = SegmentPlan(slots=leg.plan.slots[done:last], slot_bounds=bounds)
    return replace(leg, problem=problem, plan=plan, since=slot, lost=())
