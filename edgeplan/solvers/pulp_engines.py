"""PuLP's engines as back-ends use them: which one, how it is set, how it ended, and what it proves."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import pulp

from edgeplan.solvers.backend_process import Job, Message

# PuLP says "Optimal" of a plan found before the time limit as well; its second status tells them apart.
_STATUS = {
    (pulp.LpStatusOptimal, pulp.LpSolutionOptimal): "optimal",
    (pulp.LpStatusOptimal, pulp.LpSolutionIntegerFeasible): "feasible",
    (pulp.LpStatusNotSolved, pulp.LpSolutionIntegerFeasible): "feasible",
    (pulp.LpStatusNotSolved, pulp.LpSolutionNoSolutionFound): "unknown",
    (pulp.LpStatusNotSolved, pulp.LpSolutionInfeasible): "unknown",  # PuLP's default for "not solved"
    (pulp.LpStatusUndefined, pulp.LpSolutionNoSolutionFound): "unknown",
    (pulp.LpStatusUndefined, pulp.LpSolutionInfeasible): "unknown",
    (pulp.LpStatusInfeasible, pulp.LpSolutionInfeasible): "infeasible",
    (pulp.LpStatusInfeasible, pulp.LpSolutionNoSolutionFound): "infeasible",  # CBC without an LP solution
    (pulp.LpStatusUnbounded, pulp.LpSolutionUnbounded): "invalid",
}
PREFERRED = ("HiGHS", "PULP_CBC_CMD", "COIN_CMD")  # by engine "auto", before any other that is there
AUTO = "auto"

_USABLE = 0.9  # of the time; engines look at the clock now and then
_RELATIVE_ERROR, _ABSOLUTE_ERROR = 2e-7, 1e-5  # of an engine's bound


def _own_settings(name: str, job: Job) -> dict[str, Any]:
    """Settings that only this engine understands."""
    if name == "HiGHS":
        exact = {"mip_feasibility_tolerance": 1e-9, "primal_feasibility_tolerance": 1e-9}
        return {"threads": job["workers"], "random_seed": job["seed"], "gapAbs": 0.0, **exact}
    if name in ("PULP_CBC_CMD", "COIN_CMD"):
        exact_options = ["primalT 1e-9", "dualT 1e-9", "integerT 1e-9"]
        return {"threads": job["workers"], "options": [f"randomCbcSeed {job['seed']}", *exact_options]}
    return {}


def engine_of(job: Job) -> Any:
    """Return the engine that the job asks for; None where PuLP cannot reach it."""
    available = pulp.listSolvers(onlyAvailable=True)
    wanted = [*PREFERRED, *available] if job["engine"] == AUTO else [job["engine"]]
    name = next((name for name in wanted if name in available), None)
    if name is None:
        return None
    own = _own_settings(name, job)
    engine = pulp.getSolver(name, msg=False, timeLimit=job["time_limit_s"], gapRel=job["gap"], **own)
    engine.tmpDir = job["folder"]
    return engine


def available(status: str) -> Message:
    """Return a message with the engines that PuLP reaches: ``listed``, or ``missing`` one asked for."""
    return {"status": status, "available": pulp.listSolvers(onlyAvailable=True)}


def run(engine: Any, problem: Any, job: Job, began: float) -> str:
    """Solve in what is left of the job's time since `began`, and return how that ended."""
    engine.timeLimit = max(0.05, _USABLE * (job["time_limit_s"] - (time.monotonic() - began)))
    problem.solve(engine)
    status = _STATUS[problem.status, problem.sol_status]
    late = time.monotonic() - began > job["time_limit_s"]
    return "feasible" if status == "optimal" and late else status  # some engines do not tell the two apart


def weakened(value: float, gap: float) -> float:
    """Return a bound that holds although the engine computes in floats and may stop at the gap."""
    return value - (gap + _RELATIVE_ERROR) * abs(value) - _ABSOLUTE_ERROR


def proven_bound(problem: Any, status: str, gap: float) -> float | None:
    """Return the proven bound: of HiGHS always, of other engines where they claim the optimum."""
    model = problem.solverModel
    if hasattr(model, "getInfo"):
        return weakened(model.getInfo().mip_dual_bound, 0.0)
    return weakened(pulp.value(problem.objective), gap) if status == "optimal" else None


def keep_output_clean() -> None:
    """Send what engines print to standard error; standard output is for messages."""
    sys.stdout = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
