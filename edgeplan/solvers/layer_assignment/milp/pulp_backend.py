"""Any MILP engine that PuLP knows, on the programme of `Circulation.job`, in a process of its own.

Engines compute in floats, so limits are loosened by less than the problem's own check forgives or
catches, and a bound is weakened by what an engine may err.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from edgeplan.solvers.backend_process import Job, Message, serve
from edgeplan.solvers.layer_assignment.milp.pulp_programme import ContradictionError, Programme, Units
from edgeplan.solvers.pulp_engines import available, engine_of, keep_output_clean, proven_bound, run, weakened

_COST = 2.0**-26  # a plan as dear as the best known costs 2^36 units, 1024 here
_TIME = 2.0**-23
_BUDGET = 2.0**10
_SLACK = 1e-8


class _Reporter:
    """Sends HiGHS's plans and bounds as they come, so that a killed process has told what it knew."""

    def __init__(self, programme: Programme, send: Callable[[Message], None]) -> None:
        self._programme, self._send, self._last = programme, send, -math.inf

    def plan(self, out: Any) -> None:
        """Send the steps of an improving solution."""
        place_of = {variable.name: k for k, variable in enumerate(self._programme.problem.variables())}
        chosen = [
            k for k, step in enumerate(self._programme.step) if out.mip_solution[place_of[step.name]] > 0.5
        ]
        self._send({"chosen": chosen})

    def bound(self, out: Any) -> None:
        """Send the bound if it has risen."""
        if math.isfinite(out.mip_dual_bound) and out.mip_dual_bound > self._last:
            self._last = out.mip_dual_bound
            self._send({"bound": weakened(self._last, 0.0) / self._programme.units.cost})


def _report(engine: Any, reporter: _Reporter) -> None:
    """Let HiGHS call the reporter."""
    import highspy  # it is here, since PuLP offers the engine

    improving = highspy.cb.HighsCallbackType.kCallbackMipImprovingSolution
    running = highspy.cb.HighsCallbackType.kCallbackMipInterrupt

    def called(kind: Any, _message: str, out: Any, *_: Any) -> None:
        (reporter.plan if kind == int(improving) else reporter.bound)(out)

    engine.callbackTuple, engine.callbacksToActivate = (called, None), [improving, running]


def _solve(job: Job, send: Callable[[Message], None]) -> Message:
    """Solve one job; the final message has status, engine, bound in integer units and the chosen steps."""
    began = time.monotonic()
    engine = engine_of(job)
    if engine is None:
        return available("missing")
    if not job["start"]:
        return {"status": "infeasible", "engine": engine.name}
    units = Units(_COST, _TIME, _BUDGET, _SLACK)
    if job["windows"] is not None:
        units = Units(_TIME, _TIME, _BUDGET, _SLACK)
    programme = Programme(job, units)
    try:
        problem = programme.build()
    except ContradictionError:
        return {"status": "infeasible", "engine": engine.name}
    if engine.name == "HiGHS":
        _report(engine, _Reporter(programme, send))
    status = run(engine, problem, job, began)
    message: Message = {"status": status, "engine": engine.name}
    if status in ("optimal", "feasible"):
        message["chosen"] = [k for k, step in enumerate(programme.step) if (step.varValue or 0) > 0.5]
        bound = proven_bound(problem, status, job["gap"])
        message["bound"] = None if bound is None else bound / units.cost
    return message


def _write(job: Job) -> Message:
    """Write the programme in its own units to a file."""
    units = Units(1 / job["scale"], 1 / job["time_scale"], None, 0.0)
    try:
        problem = Programme(job, units).build()
    except ContradictionError as error:
        return {"status": "infeasible", "row": str(error)}
    try:
        if job["format"] == "lp":
            problem.writeLP(job["path"], max_length=255)
        else:
            problem.writeMPS(job["path"])
    except OSError as error:
        return {"status": "unwritable", "reason": error.strerror or str(error)}
    return {"status": "written"}


def answer(job: Job, send: Callable[[Message], None]) -> Message:
    """Do what the job asks: list the engines, write the programme, or solve it."""
    if job.get("list"):
        return available("listed")
    return _write(job) if "path" in job else _solve(job, send)


if __name__ == "__main__":
    keep_output_clean()
    serve(answer)
