"""The package's functions: solve, replan, explain, check, run and simulate."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgeplan.errors import UsageError
from edgeplan.execution import execution_of
from edgeplan.models.explanation import Explanation
from edgeplan.models.federated import FederatedSchedule
from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.layer_assignment import Plan as AssignmentPlan
from edgeplan.models.problem import PlanDocument, Problem
from edgeplan.models.problems import as_layer_assignment
from edgeplan.models.result import Result
from edgeplan.models.segment_scheduling import SegmentPlan, SegmentScheduling
from edgeplan.models.simulated import Simulation
from edgeplan.models.sparse_update import SparsePlan, SparseUpdate
from edgeplan.models.violation import Check
from edgeplan.solvers.limits import SolveLimits, check_options
from edgeplan.solvers.registry import AUTO, solver_named
from edgeplan.solvers.search import OnIncumbent, OnStep

_REPLAN_LIMIT_S, _REPLAN_GAP = 60.0, 0.01


def solve(
    problem: Problem,
    solver: str = AUTO,
    *,
    time_limit_s: float = 60.0,
    gap: float = 0.0,
    seed: int = 0,
    workers: int = 1,
    warm_start: PlanDocument | None = None,
    on_incumbent: OnIncumbent | None = None,
    started: float | None = None,
) -> Result:
    """Solve an instance.

    Parameters
    ----------
    problem
        The instance.
    solver
        ``auto``; of layer_assignment ``cp-sat``, ``milp``, ``dp``, ``at-size``, ``heuristic`` or
        ``brute-force``; of segment_scheduling ``dssda``; of sparse_update ``lagrangian``, ``cp-sat``,
        ``milp`` or ``dp``.
    time_limit_s
        Wall-clock limit in seconds.
    gap
        Relative gap at which to stop.
    seed
        Random seed.
    workers
        Parallel workers of the back-end.
    warm_start
        A plan of the same problem to begin with, of layer_assignment and sparse_update repaired where it
        breaks limits; the result is never worse.
    on_incumbent
        Called with every better objective or bound.
    started
        Monotonic time from which the limit counts; now by default.

    Raises
    ------
    UsageError
        When an option is out of range, or the warm start is another problem's plan.

    Examples
    --------
    >>> from edgeplan.models.layer_assignment.examples import two_layers_two_nodes
    >>> result = solve(two_layers_two_nodes())
    >>> result.status.value, result.objective
    ('optimal', 4.0)
    """
    limits = _limits(time_limit_s, gap, seed, workers, started)
    if warm_start is not None:
        _check_plan(problem, warm_start)
        limits = replace(limits, warm_start=warm_start)
    return solver_named(solver, problem.name).solve(problem, limits, on_incumbent)


def replan(
    problem: Problem,
    old_plan: AssignmentPlan,
    solver: str = AUTO,
    *,
    time_limit_s: float = 60.0,
    gap: float = 0.0,
    seed: int = 0,
    workers: int = 1,
    on_incumbent: OnIncumbent | None = None,
    started: float | None = None,
) -> Result:
    """Plan layer_assignment anew after nodes left or joined: never worse than the old plan repaired.

    Parameters
    ----------
    problem
        The instance as it is now.
    old_plan
        The plan until now; nodes and layers of it may be gone.
    solver, time_limit_s, gap, seed, workers, on_incumbent, started
        As for `solve`.

    Returns
    -------
    Result
        Its member `replanned` has the objective of the repaired plan, the nodes that left, joined and
        stayed, and the bytes that must move.

    Raises
    ------
    UsageError
        When an option is out of range, or the problem is another one.

    Examples
    --------
    >>> from edgeplan.models.layer_assignment import Plan
    >>> from edgeplan.models.layer_assignment.examples import two_layers_two_nodes
    >>> stages = [{"node": "gone", "layers": ["conv"]}, {"node": "slow", "layers": ["head"]}]
    >>> result = replan(two_layers_two_nodes(), Plan.from_document({"stages": stages}))
    >>> result.replanned.migration.left, result.replanned.migration.moved_bytes
    (('gone',), 12000)
    """
    limits = _limits(time_limit_s, gap, seed, workers, started)
    assignment = as_layer_assignment(problem, "replan")
    _check_plan(assignment, old_plan)
    from edgeplan.solvers.layer_assignment.replan import replan as replan_assignment

    named = solver_named(solver, assignment.name)
    return replan_assignment(assignment, old_plan, named, limits, on_incumbent)


def explain(
    problem: Problem,
    plan: PlanDocument | None = None,
    *,
    solver: str = AUTO,
    time_limit_s: float = 60.0,
    seed: int = 0,
    workers: int = 1,
    on_step: OnStep | None = None,
    started: float | None = None,
) -> Explanation:
    """Say why an instance has no plan, or what holds a plan back and what a change would buy.

    Parameters
    ----------
    problem
        The instance.
    plan
        The plan to explain; the best that is found by default.
    solver, time_limit_s, seed, workers, started
        As for `solve`; the limit is for all re-solving together.
    on_step
        Called with what is being done, in words.

    Returns
    -------
    Explanation
        What it says of a change rests on a solve of the changed instance; what such a solve did not
        settle is said to be open.

    Raises
    ------
    UsageError
        When an option is out of range.

    Examples
    --------
    >>> from edgeplan.models.layer_assignment.examples import two_layers_two_nodes
    >>> why = explain(two_layers_two_nodes())
    >>> why.what_if[0].change, why.what_if[0].message
    ('1 GiB more memory on fast', 'saves 2.75 s (69 %)')
    """
    limits = _limits(time_limit_s, 0.0, seed, workers, started)
    if plan is not None:
        _check_plan(problem, plan)
    named = solver_named(solver, problem.name)
    if isinstance(problem, LayerAssignment):
        from edgeplan.solvers.layer_assignment.explanation import explain as explain_assignment

        assert plan is None or isinstance(plan, AssignmentPlan)
        return explain_assignment(problem, plan, named, limits, on_step)
    if isinstance(problem, SparseUpdate):
        from edgeplan.solvers.sparse_update.explanation import explain as explain_updates

        assert plan is None or isinstance(plan, SparsePlan)
        return explain_updates(problem, plan, named, limits, on_step)
    from edgeplan.solvers.segment_scheduling.explanation import explain as explain_schedule

    assert isinstance(problem, SegmentScheduling)
    assert plan is None or isinstance(plan, SegmentPlan)
    return explain_schedule(problem, plan, limits, on_step)


def _limits(time_limit_s: float, gap: float, seed: int, workers: int, started: float | None) -> SolveLimits:
    """Return limits that count from `started`, or from now."""
    began = time.monotonic() if started is None else started
    check_options(
        ("time_limit_s", time_limit_s, "above 0 and finite", 0 < time_limit_s < math.inf),
        ("gap", gap, "at least 0 and finite", 0 <= gap < math.inf),
        ("seed", seed, "from 0 to 2147483647", 0 <= seed < 2**31),
        ("workers", workers, "at least 1", workers >= 1),
    )
    return SolveLimits(time_limit_s, gap, seed, workers, started=began)


def _check_plan(problem: Problem, plan: PlanDocument) -> None:
    if not isinstance(plan, problem.plan_kind):
        kind = type(plan).__name__
        raise UsageError(f"plan: {kind}: must be a plan of {problem.name}; read it by plan_from_document")


def check(problem: Problem, plan: PlanDocument) -> Check:
    """Recompute metrics and objective of any plan and list every violation.

    Raises
    ------
    UsageError
        When the plan is one of another problem.
    """
    _check_plan(problem, plan)
    return problem.check(plan)


def run(
    problem: Problem,
    plan: PlanDocument | FederatedSchedule,
    *,
    out: Path,
    notes: Mapping[str, Any] | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """Execute a plan with torch.distributed and compare predicted with measured.

    Parameters
    ----------
    problem
        An instance of layer_assignment, of segment_scheduling, or of sparse_update.
    plan
        A plan of it; of layer_assignment also an `edgeplan.models.federated.FederatedSchedule`.
    out
        Folder for the run's files; made if it is missing.
    notes
        Of sparse_update alone: the instance as plain JSON with its notes, which say what is trained and
        which `load` drops.
    settings
        Fields of the executor's settings: `edgeplan.runtime.snake.RunSettings` (also for a pipeline of
        layer_assignment), `edgeplan.runtime.federated.RunSettings` (with a schedule),
        `edgeplan.runtime.pipeline.RunSettings` or `edgeplan.runtime.sparse.execution.RunSettings`. Where a
        node of a serial schedule is lost, the rest is planned anew for the nodes left, and the run goes on;
        where a device of sparse_update is lost, the others go on with their updates.

    Returns
    -------
    dict[str, Any]
        The run report as plain JSON values, also in ``out/run.json``.

    Raises
    ------
    UsageError
        When the plan is another problem's, or cannot be run.
    """
    if not isinstance(plan, FederatedSchedule):
        _check_plan(problem, plan)
    execution = execution_of(problem, plan, notes or {})
    package, going_on = execution.package, {"planner": replanned} if execution.plans_anew else {}
    report: dict[str, Any] = package.run(
        *execution.given, package.RunSettings(**settings), out=out, **going_on
    )
    return report


def replanned(problem: Problem, old_plan: PlanDocument) -> PlanDocument | None:
    """Return a plan for a run that goes on with other nodes or devices; None where there is none.

    Parameters
    ----------
    problem
        The instance with who is left.
    old_plan
        The plan until now.

    Examples
    --------
    >>> from edgeplan.models.layer_assignment import Plan
    >>> from edgeplan.models.layer_assignment.examples import two_layers_two_nodes
    >>> old = Plan.from_document({"stages": [{"node": "gone", "layers": ["conv", "head"]}]})
    >>> [stage.node for stage in replanned(two_layers_two_nodes(), old).stages]
    ['fast', 'slow']
    """
    if isinstance(problem, LayerAssignment):
        assert isinstance(old_plan, AssignmentPlan)
        result = replan(problem, old_plan, time_limit_s=_REPLAN_LIMIT_S, gap=_REPLAN_GAP)
    else:
        result = solve(problem, time_limit_s=_REPLAN_LIMIT_S, gap=_REPLAN_GAP)
    return None if result.plan is None else problem.plan_from_document(result.plan)


def simulate(
    problem: Problem,
    plan: PlanDocument,
    *,
    rounds: int = 1000,
    seed: int = 0,
    jitter: str | Sequence[str] = (),
    churn: str | None = None,
    absent: str | None = None,
    local_steps: int | None = None,
    deadline_s: float | None = None,
    on_rounds: Callable[[int], None] | None = None,
) -> Simulation:
    """Play a plan over many rounds, with noise and with nodes that leave.

    Parameters
    ----------
    problem, plan
        What is played; the plan may break no rule.
    rounds
        Rounds, each by itself; of segment_scheduling a round is a slot.
    seed
        Seed of all draws.
    jitter
        Coefficients of variation of the log-normal factors, of mean 1, on times: a share such as ``"10%"``
        for all, or ``"compute=0.1"``, ``"transfer=0.1"``, or ``"node=0.1"``: of a node in all rounds.
    churn
        ``"UP/DOWN"``: mean seconds that a node stays and is away; nobody leaves by default.
    absent
        What is done about a node that is away: ``wait``, ``replace`` (serial alone) or ``skip`` (not in a
        pipeline). By default layer_assignment waits, and the others skip.
    local_steps
        Of sparse_update: steps of a device before an aggregation, 1 by default.
    deadline_s
        Deadline of a round; by default that of the instance, where it has one.
    on_rounds
        Called with the number of rounds done.

    Raises
    ------
    UsageError
        When an option is out of range or does not go with the problem, or the plan breaks a rule.

    Examples
    --------
    >>> from edgeplan.models.layer_assignment.examples import two_layers_two_nodes
    >>> problem = two_layers_two_nodes()
    >>> simulation = simulate(problem, problem.plan_from_document(solve(problem).plan), rounds=10)
    >>> simulation.time_s.p95, simulation.predicted.time_s
    (4.0, 4.0)
    """
    _check_plan(problem, plan)
    from edgeplan.simulation import Churn, Jitter, SimulationSettings
    from edgeplan.simulation import simulate as simulate_plan

    settings = SimulationSettings(
        rounds,
        seed,
        Jitter.of([jitter] if isinstance(jitter, str) else jitter),
        None if churn is None else Churn.of(churn),
        absent,
        local_steps,
        deadline_s,
    )
    return simulate_plan(problem, plan, settings, on_rounds=on_rounds)
