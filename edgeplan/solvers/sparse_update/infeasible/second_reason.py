"""A second reason that an instance has no plan: another engine on the limits alone."""

from __future__ import annotations

import time

from edgeplan.errors import BackendError
from edgeplan.extras import is_installed
from edgeplan.models.sparse_update import SparseUpdate
from edgeplan.solvers.backend_process import BackendProcess, BackendTimeoutError
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.pulp_process import AUTO, EngineProcess
from edgeplan.solvers.sparse_update.aggregation.aggregation import Aggregation
from edgeplan.solvers.sparse_update.choices.cluster import Cluster
from edgeplan.solvers.sparse_update.exact.programme import CP_SAT, PULP, Programme
from edgeplan.solvers.sparse_update.prices.dual import Part
from edgeplan.solvers.sparse_update.prices.groups import ListedGroups

_LEAST_S = 0.5


def second_reason(
    problem: SparseUpdate, alone: int | None, limits: SolveLimits, claimed_by: str
) -> str | None:
    """Ask another engine whether there is any plan; None where it does not say in time.

    Parameters
    ----------
    alone
        A device that has no choice by itself, which then is all that is asked about.
    claimed_by
        Name of the solver that found none: of CP-SAT's claims PuLP's engines are asked, of others' CP-SAT.

    Raises
    ------
    BackendError
        When the other engine finds a plan that should not exist.
    """
    asked = problem if alone is None else only(problem, alone)
    cluster, by_cp_sat = Cluster.of(asked), claimed_by == "cp-sat"
    if not cluster.is_listed or limits.remaining_s < _LEAST_S or (by_cp_sat and not is_installed("pulp")):
        return None
    groups = ListedGroups.all_of(cluster, Aggregation(cluster))
    job = Programme(Part.whole(groups)).job([], None)
    until = time.monotonic() + limits.remaining_s / 2
    job |= {"objective": [0.0] * len(job["objective"]), "about": 1.0, "gap": 0.0}
    job |= {"workers": 1, "seed": limits.seed, "time_limit_s": until - time.monotonic()}
    try:
        with EngineProcess(PULP, AUTO) if by_cp_sat else BackendProcess(CP_SAT) as process:
            final = list(process.messages(job, until=until))[-1]
    except BackendTimeoutError:
        return None
    engine = final.get("engine", "CP-SAT")
    if final["status"] in ("optimal", "feasible"):
        raise BackendError(f"{engine} finds a plan that should not exist")
    who = "" if alone is None else f" for device {problem.instance.devices[alone].id} by itself"
    return f"confirmed by {engine}{who}" if final["status"] == "infeasible" else None


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
