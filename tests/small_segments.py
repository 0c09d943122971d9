"""Small schedules: two blocks on two phones, with room for one block each, over any number of slots."""

from __future__ import annotations

from typing import Any

from edgeplan.models.segment_scheduling import SegmentPlan, SegmentScheduling
from edgeplan.models.segment_scheduling.examples import two_blocks_two_phones

STAGES = [
    {"device": "fast", "layers": ["encoder.0"], "bandwidth_hz": 1e6, "power_w": 0.1},
    {"device": "slow", "layers": ["encoder.1"]},
]


def problem(slots: int = 1) -> SegmentScheduling:
    """Return the example; fading over more slots than one."""
    example = two_blocks_two_phones()
    if slots == 1:
        return example
    return example.replace(
        control=example.document["control"] | {"slots": slots},
        channels={"kind": "rayleigh", "seed": 1, "d2d_gain": 1e-9, "uplink_gain": 1e-10},
    )


def plan(slots: int = 1, **members: Any) -> SegmentPlan:
    """Return a block a phone and 4 micro-batches in every slot; `members` replace those of the cluster."""
    uplink = {"bandwidth_hz": 1e6, "power_w": 0.2}
    entry = {"id": "home", "micro_batches": 4, "uplink": uplink, "stages": STAGES} | members
    return SegmentPlan.from_document({"slots": [{"clusters": [entry]}] * slots})


def result(given: SegmentScheduling, planned: SegmentPlan, **members: Any) -> dict[str, Any]:
    """Return the document of a result with this plan."""
    return {
        "format": "edgeplan/1",
        "problem": given.name,
        "instance_sha256": given.instance_sha256,
        "status": "feasible",
        "stop": "time_limit",
        "objective": given.objective(planned),
        "plan": planned.to_document(),
        "metrics": given.metrics(planned),
        "solver": {"name": "made up", "version": "1"},
        "runtime_s": 1.5,
    } | members
