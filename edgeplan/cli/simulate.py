"""``edgeplan simulate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgeplan.cli.files import STANDARD, check_output, read_plan, write_json, written_aside
from edgeplan.cli.options import InstancePath, ResultPath
from edgeplan.cli.progress_bar import progress_bar
from edgeplan.errors import UsageError
from edgeplan.extras import check_installed
from edgeplan.models.problems import load
from edgeplan.models.simulated import Simulation

_FORMS = ("svg", "png")


def simulate(
    instance: InstancePath,
    result: ResultPath,
    rounds: Annotated[int, typer.Option(help="Rounds, each by itself; of segment_scheduling slots.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of all draws.")] = 0,
    jitter: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SHARE",
            help="Noise on times: coefficient of variation of log-normal factors of mean 1, such as 10%, or "
            "compute=10%, transfer=0.2, or node=10%: of a node's speed, drawn once for all rounds. May be "
            "repeated.",
        ),
    ] = None,
    churn: Annotated[
        str | None,
        typer.Option(
            metavar="UP/DOWN",
            help="Nodes leave and return by themselves: mean seconds that one stays and is away, exponential "
            "times, such as 3600/120.",
        ),
    ] = None,
    absent: Annotated[
        str | None,
        typer.Option(
            help="What is done about a node that is away or leaves: wait until it is back and begin anew, "
            "replace it by the fastest idle node that fits (serial layer_assignment), or skip it (but in a "
            "pipeline). Default: wait in layer_assignment, skip elsewhere."
        ),
    ] = None,
    local_steps: Annotated[
        int | None,
        typer.Option(help="sparse_update: steps of a device before each aggregation; 1 by default."),
    ] = None,
    deadline: Annotated[
        float | None,
        typer.Option(
            help="Seconds that a round may take; default: the instance's deadline_s, if it has one."
        ),
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Also write the JSON here.")] = None,
    figure: Annotated[
        Path | None,
        typer.Option(help="Also draw how many rounds take how long, prediction and deadline; .svg or .png."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Play a plan over many rounds on paper: noise, nodes that leave and return, plans of any size.

    Where the problem has one figure this gives its distribution: percentiles of a round's time, bytes and
    energy, what the time went to, and how often a deadline is missed. Without --jitter and --churn it repeats
    the prediction, but for pipelines, whose forward and backward passes are played one by one. The same seed
    meets the same noise and the same nodes, whatever is done about them.

    Example: edgeplan simulate instance.json result.json --jitter 10% --churn 3600/120 --figure rounds.svg
    """
    for path in (output, figure):
        if path is not None:
            check_output(path)
    form = None if figure is None else _form(figure)
    problem = load(instance)
    plan = read_plan(result, problem)
    from edgeplan.api import simulate as simulate_plan

    with progress_bar("simulating") as on_progress:
        simulation = simulate_plan(
            problem,
            plan,
            rounds=rounds,
            seed=seed,
            jitter=jitter or (),
            churn=churn,
            absent=absent,
            local_steps=local_steps,
            deadline_s=deadline,
            on_rounds=None if on_progress is None else lambda done: on_progress(done, rounds),
        )
    if output is not None:
        write_json(simulation.to_document(), output)
    if figure is not None and form is not None:
        _draw(simulation, figure, form)
    if output == STANDARD:
        return
    if json:
        write_json(simulation.to_document(), STANDARD)
    else:
        from edgeplan.cli.simulated import show

        show(simulation)


def _form(path: Path) -> str:
    form = path.suffix.removeprefix(".").lower()
    if form not in _FORMS:
        raise UsageError(f"--figure {path}: must end in .svg or .png")
    check_installed("matplotlib", purpose="edgeplan simulate --figure")
    return form


def _draw(simulation: Simulation, path: Path, form: str) -> None:
    from edgeplan.report.figures.round_times import save_round_times

    with written_aside(path) as aside:
        save_round_times(simulation, aside, form)
