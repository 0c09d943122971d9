"""What befell nodes of a run, in words."""

from __future__ import annotations

from edgeplan.runtime.snake.report.rounds import JsonObject


def incident_line(incident: JsonObject) -> str:
    """Say who was lost, and how the run goes on.

    Parameters
    ----------
    incident
        As a job and its report have it.

    Examples
    --------
    >>> going_on = {"goes_on": {"round": 2, "stage": 1}, "stages": [{"node": "a"}, {"node": "c"}]}
    >>> incident_line({"nodes": {"b": "was killed by signal 9 (compute, round 2)"}} | going_on)
    'b was killed by signal 9 (compute, round 2); on from round 2, stage 2 by a > c'
    """
    lost = ", ".join(f"{node} {how}" for node, how in incident["nodes"].items())
    place, nodes = incident["goes_on"], " > ".join(stage["node"] for stage in incident["stages"])
    return f"{lost}; on from round {place['round']}, stage {place['stage'] + 1} by {nodes}"
