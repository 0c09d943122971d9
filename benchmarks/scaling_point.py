"""One measurement of scaling.py, in a fresh process: draw an instance, read it, solve it, print what it took.

Arguments: schedule, number of layers, number of nodes, time limit in seconds. Prints one JSON object.
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


def measure(schedule: Schedule, num_layers: int, num_nodes: int, time_limit_s: float) -> dict[str, Any]:
    """Return times in seconds, what the solver knows in the end, and the peak of this process in bytes."""
    document = at_size_document("bar", schedule, num_layers=num_layers, num_nodes=num_nodes)
    started = time.monotonic()
    problem = problem_from_document(document | {"limits": limits(num_layers, num_nodes)})
    read = time.monotonic()
    result = solve(problem, time_limit_s=time_limit_s, workers=2)
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
    kind, layers, nodes, limit = sys.argv[1:]
    print(json.dumps(measure(cast(Schedule, kind), int(layers), int(nodes), float(limit))))
