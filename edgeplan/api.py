"""The package's functions: solve, check and run."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

from edgeplan.errors import UsageError
from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.models.result import Result
from edgeplan.models.violation import Check
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.registry import AUTO, solver_named
from edgeplan.solvers.search import OnIncumbent


def solve(
    problem: LayerAssignment,
    solver: str = AUTO,
    *,
    time_limit_s: float = 60.0,
    gap: float = 0.0,
    seed: int = 0,
    workers: int = 1,
    warm_start: Plan | None = None,
    on_incumbent: OnIncumbent | None = None,
    started: float | None = None,
) -> Result:
    """Solve an instance.

    Parameters
    ----------
    problem
        The instance.
    solver
        ``auto``, ``cp-sat``, ``heuristic`` or ``brute-force``.
    time_limit_s
        Wall-clock limit in seconds.
    gap
        Relative gap at which to stop.
    seed
        Random seed.
    workers
        Parallel workers of the back-end.
    warm_start
        A plan to begin with; the result is never worse.
    on_incumbent
        Called with every better objective or bound.
    started
        Monotonic time from which the limit counts; now by default.

    Raises
    ------
    UsageError
        When an option is out of range.

    Examples
    --------
    >>> from edgeplan.models.layer_assignment.examples import two_layers_two_nodes
    >>> result = solve(two_layers_two_nodes())
    >>> result.status.value, result.objective
    ('optimal', 4.0)
    """
    _check_options(time_limit_s, gap, seed, workers)
    limits = SolveLimits(
        time_limit_s=time_limit_s,
        gap=gap,
        seed=seed,
        workers=workers,
        warm_start=warm_start,
        started=time.monotonic() if started is None else started,
    )
    problem.serial  # noqa: B018  a schedule that cannot be solved yet is refused here
    return solver_named(solver).solve(problem, limits, on_incumbent)


def _check_options(time_limit_s: float, gap: float, seed: int, workers: int) -> None:
    for name, value, rule, kept in (
        ("time_limit_s", time_limit_s, "above 0 and finite", 0 < time_limit_s < math.inf),
        ("gap", gap, "at least 0 and finite", 0 <= gap < math.inf),
        ("seed", seed, "from 0 to 2147483647", 0 <= seed < 2**31),
        ("workers", workers, "at least 1", workers >= 1),
    ):
        if not kept:
            raise UsageError(f"{name}: {value}: must be {rule}")


def check(problem: LayerAssignment, plan: Plan) -> Check:
    """Recompute metrics and objective of any plan and list every violation."""
    return problem.check(plan)


def run(problem: LayerAssignment, plan: Plan, *, out: Path, **settings: Any) -> dict[str, Any]:
    """Execute a plan with torch.distributed and compare predicted with measured.

    Parameters
    ----------
    out
        Folder for the run's files; made if it is missing.
    settings
        Fields of `edgeplan.runtime.snake.RunSettings`.

    Returns
    -------
    dict[str, Any]
        The run report as plain JSON values, also in ``out/run.json``.
    """
    from edgeplan.runtime.snake import RunSettings
    from edgeplan.runtime.snake import run as run_plan

    return run_plan(problem, plan, RunSettings(**settings), out=out)
