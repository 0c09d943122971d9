"""A second reason that an instance has no plan: another engine on the limits alone."""

from __future__ import annotations

import time

from edgeplan.errors import BackendError
from edgeplan.models.sparse_update import SparseUpdate
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.sparse_update.choices.cluster import Cluster
from edgeplan.solvers.sparse_update.infeasible.any_plan import AnyPlan, UndecidedError

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
    if limits.remaining_s < _LEAST_S:
        return None
    asked = problem if alone is None else only(problem, alone)
    cluster, until = Cluster.of(asked, apart=True), time.monotonic() + limits.remaining_s / 2
    with AnyPlan(limits.seed, by_pulp=claimed_by == "cp-sat") as engine:
        try:
            found = engine.choices(cluster, until)
        except UndecidedError:
            return None
    if found is not None:
        raise BackendError(f"{engine.engine} finds a plan that should not exist")
    who = "" if alone is None else f" for device {problem.instance.devices[alone].id} by itself"
    return f"confirmed by {engine.engine}{who}"


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
