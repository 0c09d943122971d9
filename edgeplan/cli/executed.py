"""What ``edgeplan run`` does with an instance and a plan: execute, prepare, resume."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.markup import escape

from edgeplan.api import replanned
from edgeplan.cli.console import stderr
from edgeplan.cli.files import plan_in, read_document
from edgeplan.cli.options import refuse
from edgeplan.errors import UsageError
from edgeplan.execution import Execution, execution_of, resumed_execution
from edgeplan.models.federated import KIND as FEDERATED_SCHEDULE
from edgeplan.models.federated import FederatedSchedule, StatedSchedule
from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.problem import PlanDocument, Problem

Executed = tuple[dict[str, Any], RenderableType]
"""A report, and how it is shown."""

_OPTION_OF = {"patience_s": "patience", "faults": "fault", "memory_limit": "no-memory-limit"}


def executed(
    problem: Problem, notes: dict[str, Any], result: Path, settings: dict[str, Any], out: Path
) -> Executed:
    """Execute a plan and return the report.

    Parameters
    ----------
    problem, notes
        The instance, and the same document with its notes.
    result
        File with the plan.
    settings
        What was given on the command line.
    out
        Folder of the run.
    """
    execution, kept = _chosen(problem, notes, result, settings)
    package = execution.package
    report = package.run(*execution.given, package.RunSettings(**kept), out=out, **_told(execution))
    return report, package.render(report)


def prepared(
    problem: Problem, notes: dict[str, Any], result: Path, settings: dict[str, Any], out: Path, host: str
) -> Iterator[tuple[str, str]]:
    """Write the job of a run; yield whom each process stands for, and its torchrun command.

    Parameters
    ----------
    host
        Address of the first one's machine, to the others.

    Raises
    ------
    UsageError
        When nodes are to be made by the kernel: there are machines.
    """
    execution, kept = _chosen(problem, notes, result, settings)
    package = execution.package
    from edgeplan.runtime.emulation.modes import AUTO, KERNEL, NONE
    from edgeplan.runtime.processes.launching import torchrun_commands

    if kept["emulation"] == KERNEL:
        raise UsageError("--prepare: --emulation kernel makes nodes on this machine; use none or process")
    if kept["emulation"] == AUTO:
        kept |= {"emulation": NONE}
    job = package.prepare(*execution.given, package.RunSettings(**kept), out=out)
    yield from torchrun_commands(job.crew, host)


def resumed(folder: Path) -> Executed:
    """Go on with a run that was ended before its end."""
    execution = resumed_execution(folder)
    report = execution.package.resume(*execution.given, **_told(execution))
    return report, execution.package.render(report)


def _told(execution: Execution) -> dict[str, Any]:
    """Return whom an executor tells of its progress and of losses, and who plans anew for it."""
    told: dict[str, Any] = {"on_progress": _progress()}
    if execution.goes_on:
        told["on_incident"] = _say_incident
    if execution.plans_anew:
        told["planner"] = replanned
    return told


def _chosen(
    problem: Problem, notes: dict[str, Any], result: Path, settings: dict[str, Any]
) -> tuple[Execution, dict[str, Any]]:
    """Return the executor, and the settings that it takes; a baseline of none says nothing to any."""
    execution = execution_of(problem, _plan(result, problem), notes)
    kept = dict(settings)
    if "baseline" in execution.unused and kept.get("baseline") == "none":
        del kept["baseline"]
    unused = {_OPTION_OF.get(name, name): kept[name] for name in kept if name in execution.unused}
    refuse(unused, execution.subject)
    return execution, kept


def _plan(path: Path, problem: Problem) -> PlanDocument | FederatedSchedule:
    document, source = read_document(path)
    if isinstance(problem, LayerAssignment) and document.get("kind") == FEDERATED_SCHEDULE:
        return StatedSchedule.from_document(document, problem, source=source).schedule
    return plan_in(document, problem, source)


def _progress() -> Callable[[dict[str, Any]], None] | None:
    return _say if stderr.is_terminal else None


def _say(scored: dict[str, Any]) -> None:
    loss = "no number" if scored["loss"] is None else f"{scored['loss']:.4g}"
    accuracy = f"accuracy {100 * scored['accuracy']:.1f} %"
    stderr.print(f"[dim]{scored['phase']}, round {scored['round']}: loss {loss}, {accuracy}[/dim]")


def _say_incident(message: str) -> None:
    stderr.print(f"[yellow]{escape(message)}[/yellow]")
