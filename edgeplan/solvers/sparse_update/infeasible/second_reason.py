"""A second reason that an instance has no plan: another engine on the limits alone."""

from __future__ import annotations

import time

from edgeplan.errors import BackendError
from edgeplan.models.sparse_update import SparseUpdate
from edgeplan.solvers.backend_process import BackendProcess, BackendTimeoutError
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.sparse_update.aggregation import Aggregation
from edgeplan.solvers.sparse_update.cluster import Cluster
from edgeplan.solvers.sparse_update.dual import Part
from edgeplan.solvers.sparse_update.groups import ListedGroups
from edgeplan.solvers.sparse_update.programme import Programme

BACKEND = "edgeplan.solvers.sparse_update.cp_sat_backend"
_LEAST_S = 0.5


def second_reason(problem: SparseUpdate, alone: int | None, limits: SolveLimits) -> str | None:
    """Ask CP-SAT whether there is any plan; None where it does not say in time.

    Parameters
    ----------
    alone
        A device that has no choice by itself, which then is all that is asked about.

    Raises
    ------
    BackendError
        When CP-SAT finds a plan that should not exist.
    """
    asked = problem if alone is None else only(problem, alone)
    cluster = Cluster.of(asked)
    if not cluster.is_listed or limits.remaining_s < _LEAST_S:
        return None
    groups = ListedGroups.all_of(cluster, Aggregation(cluster))
    job = Programme(Part.whole(groups)).job([], None)
    until = time.monotonic() + limits.remaining_s / 2
    job |= {"objective": [0.0] * len(job["objective"]), "workers": 1, "seed": limits.seed, "gap": 0.0}
    job |= {"time_limit_s": until - time.monotonic()}
    try:
        with BackendProcess(BACKEND) as process:
            final = list(process.messages(job, until=until))[-1]
    except BackendTimeoutError:
        return None
    if final["status"] in ("optimal", "feasible"):
        raise BackendError("CP-SAT finds a plan that should not exist")
    who = "" if alone is None else f" for device {problem.instance.devices[alone].id} by itself"
    return f"confirmed by CP-SAT{who}" if final["status"] == "infeasible" else None


def only(problem: SparseUpdate, d: int) -> SparseUpdate:
    """Return the instance of one device by itself."""
    document, name = problem.document, problem.instance.devices[d].id
    return problem.replace(
        devices=[document["devices"][d]],
        network={"latency_s": 0.0, "bit_per_s": None},
        coverage={},
        nested=False,
        pin=[pin for pin in document.get("pin", []) if pin[0] == name],
        forbid=[pair for pair in document.get("forbid", []) if pair[0] == name],
    )
