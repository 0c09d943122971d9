"""What verbs that solve show while they search and when they end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from edgeplan.cli.console import figures, stderr
from edgeplan.models.problem import Problem
from edgeplan.models.result import Incumbent, Result, Status, Stop
from edgeplan.models.segment_scheduling import SegmentScheduling
from edgeplan.models.segment_scheduling.instance import NOISE
from edgeplan.models.sparse_update import SparseUpdate
from edgeplan.report.units import bytes_text, counted, percent_text, range_text, seconds_text

if TYPE_CHECKING:
    from edgeplan.solvers.search import OnIncumbent

_INTERRUPTED = 130
_EXIT_CODE = {
    Status.OPTIMAL: 0,
    Status.FEASIBLE: 0,
    Status.INFEASIBLE: 3,
    Status.NO_PLAN: 5,
    Status.FAILED: 7,
}


def exit_code(result: Result) -> int:
    """Return the exit code that a result ends with."""
    return _INTERRUPTED if result.stop is Stop.INTERRUPT else _EXIT_CODE[result.status]


@contextmanager
def progress() -> Iterator[OnIncumbent | None]:
    """Show objective, bound and gap on a live line, on a terminal only."""
    if not stderr.is_terminal:
        yield None
        return
    with stderr.status("searching for a first plan") as status:

        def show(incumbent: Incumbent) -> None:
            objective = "none" if incumbent.objective is None else f"{incumbent.objective:.6g}"
            bound = "none" if incumbent.bound is None else f"{incumbent.bound:.6g}"
            status.update(
                f"{incumbent.runtime_s:.1f} s  objective {objective}  bound {bound}  (Ctrl-C keeps the best)"
            )

        yield show


def summarise(problem: Problem, result: Result, more: dict[str, str] | None = None) -> None:
    """Print status, objective, solver and conflicts of a result; and `more` rows."""
    rows = {"instance": escape(problem.instance.name), "status": f"{result.status} ({result.stop})"}
    if result.plan is not None:
        gap = "unknown" if result.gap is None else f"{100 * result.gap:.4g} %"
        bound = "unknown" if result.bound is None else f"{result.bound:.9g}"
        rows |= {"objective": f"{result.objective:.9g}  (bound {bound}, gap {gap})"}
        rows |= _plan_rows(problem, result.plan, result.metrics or {})
    if result.detail:
        rows["detail"] = escape(result.detail)
    warm = result.solver.options.get("warm_start")
    if warm and result.replanned is None:
        rows["warm start"] = escape(str(warm))
    auto = result.solver.options.get("auto")
    if auto:
        rows["auto"] = escape(str(auto))
    rows["solver"] = f"{result.solver.name} {result.solver.version}, {result.runtime_s:.2f} s"
    stderr.print(figures(rows | (more or {})))
    for conflict in result.conflicts:
        stderr.print(f"  [red]conflict[/red] {escape(conflict.pointer)}: {escape(conflict.message)}")


def _plan_rows(problem: Problem, plan: dict[str, Any], metrics: dict[str, Any]) -> dict[str, str]:
    """What a plan is in a few words."""
    if isinstance(problem, SegmentScheduling):
        return {
            "slots": str(len(plan["slots"])),
            "mean latency": seconds_text(metrics["mean_latency_s"]),
            "budgets": _worst(metrics["budget_violation"] | {NOISE: _noise_violation(problem, metrics)}),
        }
    if isinstance(problem, SparseUpdate):
        return _update_rows(plan, metrics)
    return {"stages": str(len(plan["stages"]))}


def _update_rows(plan: dict[str, Any], metrics: dict[str, Any]) -> dict[str, str]:
    depths = [device["depth"] for device in plan["devices"]]
    shares = [device["memory_share"] for device in metrics["devices"]]
    collectives = counted(metrics["num_collectives"], "collective")
    seconds, moved = seconds_text(metrics["aggregation_s"]), bytes_text(metrics["bytes_moved"])
    return {
        "contribution": f"{metrics['contribution']:.6g} of {counted(len(depths), 'device')}",
        "depths": range_text(str(min(depths)), str(max(depths))),
        "memory used": range_text(percent_text(min(shares)), percent_text(max(shares))),
        "aggregation": f"{seconds} in {collectives}, {moved} moved",
    }


def _noise_violation(problem: SegmentScheduling, metrics: dict[str, Any]) -> float:
    """Share by which the mean gradient noise exceeds its budget, which the metrics leave to the reader."""
    return max(0.0, float(metrics["mean_noise"]) / problem.instance.control.noise_budget - 1)


def _worst(violation: dict[str, float]) -> str:
    """Say which budget is exceeded most, and how many are."""
    exceeded = {name: share for name, share in violation.items() if share > 0}
    if not exceeded:
        return "all kept"
    name = max(exceeded, key=exceeded.__getitem__)
    worst = f"{escape(name)} most, by {percent_text(exceeded[name])}"
    return f"{len(exceeded)} of {counted(len(violation), 'budget')} exceeded, {worst}"
