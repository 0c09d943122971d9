"""``edgeplan sweep``."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.markup import escape

from edgeplan.cli.begun import begun
from edgeplan.cli.console import stderr
from edgeplan.cli.files import STANDARD, check_output, write_json
from edgeplan.cli.swept import OnStep, live, show
from edgeplan.errors import BackendError, UsageError
from edgeplan.models.problems import load
from edgeplan.models.result import Conflict, SolverInfo
from edgeplan.models.segment_scheduling import SegmentScheduling
from edgeplan.models.segment_scheduling.shortened import first_slots
from edgeplan.models.segment_scheduling.sweep import FailedPoint, Sweep, SweepPoint

_INFEASIBLE, _WITHOUT_PLAN, _INTERRUPTED = 3, 5, 130
_TRADEOFFS = (0.1, 1.0, 10.0, 100.0)
_INTERRUPT = "interrupted"


def sweep(
    instance: Annotated[
        Path, typer.Argument(help="Instance JSON of segment_scheduling; - is standard input.")
    ],
    tradeoff: Annotated[
        list[float] | None,
        typer.Option(help="A value of V in 1/s; once for each. Default: 0.1, 1, 10 and 100."),
    ] = None,
    slots: Annotated[
        int | None, typer.Option(min=1, help="Take the first so many slots of the horizon only.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Sweep JSON; - is standard output.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON to standard output too.")] = False,
    time_limit: Annotated[float, typer.Option(help="Wall-clock seconds for all of them.")] = 600.0,
    gap: Annotated[float, typer.Option(help="Relative gap at which a slot counts as solved.")] = 1e-3,
    workers: Annotated[int, typer.Option(min=1, help="Clusters priced side by side.")] = 1,
) -> None:
    """Run the horizon once for each price of time V: latency falls like 1/V, queues grow like V.

    Beside each run stands the offline bound: the mean latency that no policy can beat whose averages keep
    the budgets on these channels. Late is the second half of the horizon, where a run has settled. Ctrl-C
    keeps the trade-offs that are done. Exit code 5: a trade-off has no plan, for want of time.

    Example: edgeplan sweep instance.json --tradeoff 0.1 --tradeoff 1 --tradeoff 10 -o sweep.json
    && edgeplan report instance.json sweep.json
    """
    started = begun()
    _check(tradeoff, time_limit, gap)
    if output is not None:
        check_output(output)
    given = _scheduling(instance)
    problem = given if slots is None else first_slots(given, slots)
    conflicts = _conflicts(problem)
    if conflicts:
        _refuse(conflicts)
    values = sorted(set(tradeoff or _TRADEOFFS))
    running = _Running(problem, gap, workers, started + time_limit)
    with live(values) as on_step:
        running.run(values, on_step)
    swept = running.swept(given, time.monotonic() - started)
    _write(swept, output, to_stdout=json)
    show(swept)
    if running.is_interrupted:
        raise typer.Exit(_INTERRUPTED)
    raise typer.Exit(_WITHOUT_PLAN if swept.failed else 0)


def _check(tradeoffs: Sequence[float] | None, time_limit_s: float, gap: float) -> None:
    for name, value, least in (
        *(("tradeoff", value, "above 0") for value in tradeoffs or ()),
        ("time-limit", time_limit_s, "above 0"),
    ):
        if not 0 < value < float("inf"):
            raise UsageError(f"--{name}: {value:g}: must be {least} and finite")
    if not 0 <= gap < float("inf"):
        raise UsageError(f"--gap: {gap:g}: must be at least 0 and finite")


def _scheduling(path: Path) -> SegmentScheduling:
    problem = load(path)
    if not isinstance(problem, SegmentScheduling):
        raise UsageError(
            f'/problem: "{problem.name}": sweep knows segment_scheduling only; solve answers this instance'
        )
    return problem


def _conflicts(problem: SegmentScheduling) -> tuple[Conflict, ...]:
    """Limits for which no trade-off can have a plan."""
    from edgeplan.solvers.segment_scheduling.infeasibility import infeasibility

    found = infeasibility(problem)
    return () if found is None else found.conflicts


def _refuse(conflicts: Sequence[Conflict]) -> None:
    stderr.print("infeasible: no trade-off has a plan")
    for conflict in conflicts:
        stderr.print(f"  [red]conflict[/red] {escape(conflict.pointer)}: {escape(conflict.message)}")
    raise typer.Exit(_INFEASIBLE)


@dataclass
class _Running:
    """The trade-offs one after another; one without a plan leaves the others standing."""

    problem: SegmentScheduling
    gap: float
    workers: int
    until: float
    points: list[SweepPoint] = field(default_factory=list)
    failed: list[FailedPoint] = field(default_factory=list)
    solver: SolverInfo | None = None
    is_interrupted: bool = False

    def run(self, values: Sequence[float], on_step: OnStep) -> None:
        """Take them in order; an even share of the time left each."""
        with self._noting_interrupts():
            for k, value in enumerate(values):
                if self.is_interrupted:
                    self._fail(value, _INTERRUPT)
                    continue
                share_s = (self.until - time.monotonic()) / (len(values) - k)
                on_step(self.points, value, share_s)
                self._take(value, share_s)
        on_step(self.points, None, 0.0)

    def _take(self, value: float, share_s: float) -> None:
        from edgeplan.solvers.segment_scheduling.sweep import sweep as run_sweep

        try:
            part = run_sweep(self.problem, [value], time_limit_s=share_s, gap=self.gap, workers=self.workers)
        except BackendError as error:
            self._fail(value, _INTERRUPT if self.is_interrupted else str(error))
        except KeyboardInterrupt:
            self._fail(value, _INTERRUPT)
        else:
            self.solver = part.solver
            if self.is_interrupted:  # what was left of it was decided in haste
                self._fail(value, _INTERRUPT)
            else:
                self.points += part.points

    def _fail(self, value: float, reason: str) -> None:
        self.failed.append(FailedPoint(tradeoff=value, reason=reason))

    @contextmanager
    def _noting_interrupts(self) -> Iterator[None]:
        """Remember an interrupt that a solver takes as the end of its own search."""

        def note(_number: int, _frame: FrameType | None) -> None:
            self.is_interrupted = True
            raise KeyboardInterrupt

        before = signal.signal(signal.SIGINT, note)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def swept(self, given: SegmentScheduling, runtime_s: float) -> Sweep:
        """Close the sweep: it belongs to the instance as given, of however many slots."""
        return Sweep(
            problem=given.name,
            instance_sha256=given.instance_sha256,
            name=given.instance.name,
            slots=self.problem.instance.control.slots,
            points=tuple(self.points),
            failed=tuple(self.failed),
            solver=self.solver or SolverInfo(name="dssda", version="1", workers=self.workers),
            runtime_s=runtime_s,
        )


def _write(swept: Sweep, output: Path | None, *, to_stdout: bool) -> None:
    document = swept.to_document()
    if output is not None:
        write_json(document, output)
    if to_stdout and output != STANDARD:
        write_json(document, STANDARD)
