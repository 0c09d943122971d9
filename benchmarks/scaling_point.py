"""One measurement of scaling.py, in a fresh process: draw an instance, read it, solve it, print what it took.

The argument is a point of scaling.py as JSON, with case, time limit and gap. Prints one JSON object.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import Any, cast

from benchmarks.at_size_instances import Schedule, at_size_document
from edgeplan.api import solve
from edgeplan.models.problems import problem_from_document

_SLACK = 1.2  # of the most layers a node may own, over an equal split on the fewest nodes


def limits(num_layers: int, num_nodes: int) -> dict[str, int]:
    """Return limits that ask for ten nodes, where there are layers and nodes for that.

    Examples
    --------
    >>> limits(100, 100_000)
    {'min_nodes': 10, 'max_layers_per_node': 12}
    """
    fewest = max(1, min(10, num_layers // 2, num_nodes // 4))
    return {"min_nodes": fewest, "max_layers_per_node": round(_SLACK * num_layers / fewest)}


def measure(point: dict[str, Any]) -> dict[str, Any]:
    """Return times in seconds, what the solver knows in the end, and the peak of this process in bytes."""
    schedule, num_layers, num_nodes = cast(Schedule, point["schedule"]), point["layers"], point["nodes"]
    document = at_size_document(point["case"], schedule, num_layers=num_layers, num_nodes=num_nodes)
    if point["sweep"] != "cases":
        document |= {"limits": limits(num_layers, num_nodes)}
    started = time.monotonic()
    problem = problem_from_document(document)
    read = time.monotonic()
    result = solve(problem, time_limit_s=point["time_limit_s"], gap=point["gap"], workers=2)
    return {
        "reading_s": read - started,
        "solving_s": time.monotonic() - read,
        "status": result.status.value,
        "solver": result.solver.name,
        "objective": result.objective,
        "bound": result.bound,
        "gap": result.gap,
        "num_stages": None if result.plan is None else len(result.plan["stages"]),
        "peak_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }


if __name__ == "__main__":
    print(json.dumps(measure(json.loads(sys.argv[1]))))
