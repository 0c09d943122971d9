"""What verbs that solve show while they search and when they end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.markup import escape

from edgeplan.cli.console import figures, stderr
from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.result import Incumbent, Result, Status, Stop

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


def summarise(problem: LayerAssignment, result: Result, more: dict[str, str] | None = None) -> None:
    """Print status, objective, solver and conflicts of a result; and `more` rows."""
    rows = {"instance": escape(problem.instance.name), "status": f"{result.status} ({result.stop})"}
    if result.plan is not None:
        gap = "unknown" if result.gap is None else f"{100 * result.gap:.4g} %"
        bound = "unknown" if result.bound is None else f"{result.bound:.9g}"
        rows |= {"objective": f"{result.objective:.9g}  (bound {bound}, gap {gap})"}
        rows |= {"stages": str(len(result.plan["stages"]))}
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
