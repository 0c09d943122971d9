"""Simulated rounds beside executed ones, and rounds of large plans: ``python -m benchmarks.simulated``.

First, small plans are executed, a process a node or device, and simulated with the noise that the run had:
the coefficient of variation, over its rounds, of the seconds of computing and of transfers, median over
stages. Then plans on up to 100,000 nodes are solved and simulated with noise and churn, by every policy that
they have. Prints Markdown. ``--runs`` keeps the executed runs, and takes up what is there.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import edgeplan as ep
from benchmarks.at_size_instances import Schedule, at_size_problem
from benchmarks.provenance import provenance
from edgeplan.models.problem import PlanDocument, Problem
from edgeplan.models.simulated import Simulation
from edgeplan.models.sparse_update import SparseUpdate
from edgeplan.models.sparse_update.generated import Size, generated
from edgeplan.report.units import seconds_text
from edgeplan.runtime.processes.records import read_json, report_path, write_json

ROOT = Path(__file__).parents[1]
INSTANCES = ROOT / "instances"
EXECUTED = ("layer_assignment/digits-6-nodes", "sparse_update/mobilenetv2-7-devices")
JITTER, CHURN = "10%", "3600/300"
Report = dict[str, Any]
Figures = tuple[float | None, float | None, float]
"""Predicted, simulated and executed."""


@dataclass(frozen=True)
class Compared:
    """A run beside its simulation: predicted, simulated and executed, each a median over rounds."""

    name: str
    noise: tuple[float, float]
    bytes_moved: Figures
    transfer_s: Figures
    round_s: Figures
    executed_range_s: tuple[float, float]
    simulated_range_s: tuple[float | None, float | None]


def compared(name: str, rounds: int, emulation: str, time_limit_s: float, runs: Path) -> Compared:
    """Execute a small plan, or read its run, and simulate it with the run's noise."""
    path = INSTANCES / f"{name}.json"
    problem, notes = ep.load(path), read_json(path)
    folder = runs / name.replace("/", "-")
    plan_path = folder / "planned.json"
    if report_path(folder).is_file():
        plan = problem.plan_from_document(read_json(plan_path))
    else:
        plan = _solved(problem, time_limit_s)
        more = {"notes": notes} if isinstance(problem, SparseUpdate) else {}
        ep.run(problem, plan, out=folder, rounds=rounds, emulation=emulation, baseline="none", **more)
        write_json(plan_path, plan.to_document())
    report: Report = read_json(report_path(folder))
    read = _of_updates if isinstance(problem, SparseUpdate) else _of_stages
    computing, moving, transfer_s = read(report)
    steps = report["settings"].get("local_steps") if isinstance(problem, SparseUpdate) else None
    simulation = ep.simulate(
        problem, plan, jitter=[f"compute={computing:.4f}", f"transfer={moving:.4f}"], local_steps=steps
    )
    return _beside(name, report, simulation, (computing, moving), transfer_s)


def _beside(
    name: str,
    report: Report,
    simulation: Simulation,
    noise: tuple[float, float],
    transfer_s: tuple[float, float],
) -> Compared:
    times = [entry["time_s"] for entry in report["rounds"]]
    moved, predicted, found = report["totals"], simulation.predicted, simulation
    return Compared(
        name,
        noise,
        (predicted.bytes_moved, found.bytes_moved.p50, moved["measured_bytes_per_round"]),
        (transfer_s[0], found.shares.transfer_s, transfer_s[1]),
        (predicted.time_s, found.time_s.p50, statistics.median(times)),
        (min(times), max(times)),
        (found.time_s.p5, found.time_s.p95),
    )


def _of_stages(report: Report) -> tuple[float, float, tuple[float, float]]:
    """Noise of computing and of transfers, and predicted and measured seconds of a round's transfers."""
    visits = list(zip(*(entry["timeline"] for entry in report["rounds"]), strict=True))
    computing = statistics.median(_variation(one["compute_s"] for one in visit) for visit in visits)
    moving = statistics.median(_variation(one["transfer_in_s"] for one in visit) for visit in visits)
    both = [
        sum(stage[side]["transfer_in_s"] + stage[side]["transfer_out_s"] for stage in report["stages"])
        for side in ("predicted", "measured")
    ]
    return computing, moving, (both[0], both[1])


def _of_updates(report: Report) -> tuple[float, float, tuple[float, float]]:
    rounds, totals = report["rounds"], report["totals"]
    steps = [entry["time_s"] - entry["aggregation_s"] for entry in rounds]
    moving = _variation(entry["aggregation_s"] for entry in rounds)
    return (
        _variation(steps),
        moving * len(report["collectives"]) ** 0.5,  # each collective's own, of which the sum has less
        (totals["predicted_aggregation_s"], totals["measured_aggregation_s"]),
    )


def _variation(values: Iterable[float]) -> float:
    known = list(values)
    mean = statistics.fmean(known)
    return statistics.stdev(known) / mean if len(known) > 1 and mean else 0.0


@dataclass(frozen=True)
class Large:
    """A large plan, simulated.

    Parameters
    ----------
    nodes
        Nodes or devices of the instance.
    parts
        Stages or devices of the plan.
    seconds
        Of the whole simulation, the plan's check included.
    """

    name: str
    nodes: int
    parts: int
    policy: str
    simulation: Simulation
    seconds: float


def large(only: str, rounds: int, time_limit_s: float) -> Iterator[Large]:
    """Solve the large plans, and simulate each by every policy that it has."""
    for name, make, policies in _large_cases():
        if only not in name:
            continue
        print(f"{name}: solving", file=sys.stderr, flush=True)
        problem = make()
        plan = _solved(problem, time_limit_s)
        for policy in policies:
            began = time.monotonic()
            simulation = ep.simulate(
                problem, plan, rounds=rounds, jitter=[JITTER], churn=CHURN, absent=policy
            )
            seconds = time.monotonic() - began
            yield Large(name, _num_nodes(problem), _num_parts(plan), policy, simulation, seconds)


def _large_cases() -> Iterator[tuple[str, Callable[[], Problem], Sequence[str]]]:
    schedules: list[tuple[Schedule, Sequence[str]]] = [
        ("server", ("wait", "replace", "skip")),
        ("peer", ("wait", "replace", "skip")),
        ("gpipe", ("wait",)),
        ("1f1b", ("wait",)),
    ]
    for schedule, policies in schedules:
        yield f"bar {schedule}", partial(at_size_problem, "bar", schedule), policies
    for devices in (10_000, 100_000):
        yield f"sparse {devices}", partial(_sparse, devices), ("skip", "wait")


def _sparse(num_devices: int) -> Problem:
    size = Size(num_devices, 50, 50 * 1024, 140 * 1024)
    return SparseUpdate.from_document(generated(size, seed=0, aggregation_weight=0.001))


def _solved(problem: Problem, time_limit_s: float) -> PlanDocument:
    result = ep.solve(problem, time_limit_s=time_limit_s)
    plan: PlanDocument = problem.plan_from_document(result.plan)
    return plan


def _num_nodes(problem: Problem) -> int:
    instance = problem.instance
    return len(instance.devices if isinstance(problem, SparseUpdate) else instance.network.nodes)


def _num_parts(plan: PlanDocument) -> int:
    document = plan.to_document()
    return len(document.get("stages") or document["devices"])


def executed_table(rows: Iterable[Compared]) -> Iterator[str]:
    """Yield the lines of the comparison with runs."""
    names = ("instance", "noise: computing, transfers", "figure", "predicted", "simulated", "executed", "off")
    yield f"| {' | '.join(names)} |"
    yield "| --- | ---: | --- | ---: | ---: | ---: | ---: |"
    for row in rows:
        noise = ", ".join(f"{100 * share:.1f} %" for share in row.noise)
        yield f"| `{row.name}` | {noise} | bytes of a round | {_told(row.bytes_moved, ',.0f')} |"
        yield f"| | | transfers (s) | {_told(row.transfer_s, '.4g')} |"
        yield f"| | | round, median (s) | {_told(row.round_s, '.4g')} |"
        simulated, executed = (
            f"{low or 0:.4g} to {high or 0:.4g}"
            for low, high in (row.simulated_range_s, row.executed_range_s)
        )
        yield f"| | | round, 5 to 95 % and range (s) | | {simulated} | {executed} | |"


def _told(figures: Figures, style: str) -> str:
    _, simulated, executed = figures
    off = f"{100 * (executed - simulated) / simulated:+.1f} %" if simulated else ""
    return " | ".join([*("" if one is None else format(one, style) for one in figures), off])


def large_table(rows: Iterable[Large]) -> Iterator[str]:
    """Yield the lines of the large plans."""
    percentiles = ("predicted", "mean", "5 %", "50 %", "95 %", "99 %")
    names = ("plan", "nodes", "stages or devices", "policy", *percentiles)
    yield f"| {' | '.join(names)} | lost, replaced, skipped in a round | seconds here |"
    yield "| --- " + "| ---: " * 2 + "| --- " + "| ---: " * 8 + "|"
    for row in rows:
        found, time_s = row.simulation, row.simulation.time_s
        figures = (found.predicted.time_s, time_s.mean, time_s.p5, time_s.p50, time_s.p95, time_s.p99)
        happened = (found.lost_per_round, found.replaced_per_round, found.skipped_per_round)
        cells = [
            row.name,
            f"{row.nodes:,}",
            f"{row.parts:,}",
            row.policy,
            *("never" if one is None else seconds_text(one) for one in figures),
            ", ".join(f"{one:.3g}" for one in happened),
            f"{row.seconds:.1f}",
        ]
        yield f"| {' | '.join(cells)} |"


def main() -> None:
    """Execute, solve, simulate, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="part of a large plan's name; executed: no large plan")
    parser.add_argument(
        "--executed", nargs="*", default=list(EXECUTED), help="instances to execute; none: none"
    )
    parser.add_argument("--executed-rounds", type=int, default=10)
    parser.add_argument("--emulation", default="auto", help="as for edgeplan run")
    parser.add_argument("--rounds", type=int, default=1000, help="of a simulation of a large plan")
    parser.add_argument("--time-limit", type=float, default=60.0, help="seconds for each plan")
    parser.add_argument("--runs", type=Path, help="folder that keeps the executed runs")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as forgotten:
        runs = given.runs or Path(forgotten)
        options = (given.executed_rounds, given.emulation, given.time_limit, runs)
        print("\n".join(executed_table(compared(name, *options) for name in given.executed)), flush=True)
    if given.only != "executed":
        print(f"\nJitter {JITTER}, churn {CHURN} (seconds up/down), {given.rounds:,} rounds.\n")
        for line in large_table(large(given.only, given.rounds, given.time_limit)):
            print(line, flush=True)
    print(f"\n{provenance()}")


if __name__ == "__main__":
    main()
