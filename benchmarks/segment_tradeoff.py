"""The trade-off between latency and queues over V: ``python -m benchmarks.segment_tradeoff``.

A sweep of V over four decades on each instance of instances/segment_scheduling with clusters enough, same
channels for every V: how latency falls towards the offline bound and queues grow. Writes the sweeps as JSON
and prints their numbers.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.provenance import provenance
from edgeplan.models.problems import load
from edgeplan.models.segment_scheduling import SegmentScheduling
from edgeplan.models.segment_scheduling.sweep import Sweep
from edgeplan.solvers.segment_scheduling.sweep import sweep

FOLDER = Path(__file__).parents[1] / "instances" / "segment_scheduling"
FILES = ("transformer-3-clusters", "bert-base-3-clusters")
TRADEOFFS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)


def table(done: Sweep) -> Iterator[str]:
    """Yield the numbers of a sweep: "late" is the second half of the horizon."""
    yield f"### {done.name}, {done.slots} slots"
    yield ""
    yield (
        "| V (1/s) | mean T (s) | late T (s) | late queues (budgets) | queues at the end | worst excess "
        "| late excess | late bound (s) | bound of the run (s) | slots left open | slots a second |"
    )
    yield "| --- |" + " --- |" * 10
    for point in done.points:
        yield (
            f"| {point.tradeoff:g} | {point.mean_latency_s:.4g} | {point.late_latency_s:.4g} "
            f"| {point.late_queue:.4g} | {point.end_queue:.4g} | {point.worst_violation:.2%} "
            f"| {point.late_violation:.2%} | {point.late_bound_s:.4g} | {point.run_bound_s:.4g} "
            f"| {point.open_slots} | {point.slots_per_s:.3g} |"
        )


def swept(file: str, slots: int, tradeoffs: tuple[float, ...], time_limit_s: float, gap: float) -> Sweep:
    """Sweep one instance, its horizon cut or extended to so many slots."""
    problem = load(FOLDER / f"{file}.json")
    assert isinstance(problem, SegmentScheduling)
    problem = problem.replace(control=problem.document["control"] | {"slots": slots})

    def tell(point: object) -> None:
        print(f"{file}: {point}", file=sys.stderr, flush=True)

    return sweep(problem, tradeoffs, time_limit_s=time_limit_s, gap=gap, on_point=tell)


def main() -> None:
    """Sweep every instance chosen and print the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--slots", type=int, default=2000, help="horizon")
    parser.add_argument("--tradeoffs", type=float, nargs="+", default=TRADEOFFS, help="values of V in 1/s")
    parser.add_argument("--time-limit", type=float, default=3600.0, help="seconds for each instance")
    parser.add_argument("--gap", type=float, default=1e-3, help="relative gap of every slot")
    parser.add_argument("--only", default="", help="part of an instance's name")
    parser.add_argument("--out", type=Path, help="folder for the sweeps as JSON, NAME-sweep.json each")
    arguments = parser.parse_args()
    for file in (file for file in FILES if arguments.only in file):
        done = swept(file, arguments.slots, tuple(arguments.tradeoffs), arguments.time_limit, arguments.gap)
        if arguments.out is not None:
            arguments.out.mkdir(parents=True, exist_ok=True)
            text = json.dumps(done.to_document(), indent=1) + "\n"
            (arguments.out / f"{file}-sweep.json").write_text(text, encoding="utf-8")
        print("\n".join([*table(done), ""]), flush=True)
    print(provenance())


if __name__ == "__main__":
    main()
