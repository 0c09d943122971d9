"""The controller beside other policies, on the same channels: ``python -m benchmarks.segment_baselines``.

Every policy decides the same slots of the same instances, one after another, with queues of its own; the
problem itself costs and judges every plan. Prints Markdown: the figures of every policy over the whole
horizon and its second half, what the controller gains over each beside the figures of CollaPipe's abstract,
and where it loses. ``--rows`` keeps the runs, and takes up where it was interrupted.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.provenance import provenance
from benchmarks.rivals.segment_scheduling import POLICIES
from benchmarks.rivals.segment_scheduling.policy import Policy
from benchmarks.segment_cases import CASES, SegmentCase
from benchmarks.segment_measures import measures
from benchmarks.segment_table import Row, bent_rules, beside_the_paper, effort, figures, verdict
from edgeplan.models.segment_scheduling import SegmentPlan, SegmentScheduling, SlotPlan
from edgeplan.models.segment_scheduling.slot_cost import SlotCost, slot_cost

_SHARES = 3  # even shares of the time left that one slot may take


@dataclass
class Run:
    """A policy over the horizon of an instance."""

    plans: list[SlotPlan] = field(default_factory=list)
    costs: list[SlotCost] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    seconds: float = 0.0


def run(problem: SegmentScheduling, policy: Policy, time_limit_s: float) -> Run:
    """Let a policy decide every slot; slots near the limit are decided with the best found by then."""
    done, queues = Run(), problem.initial_queues
    started = time.monotonic()
    for t, gains in enumerate(problem.gains()):
        now = time.monotonic()
        share_s = _SHARES * (started + time_limit_s - now) / (problem.instance.control.slots - t)
        decided = policy.decide(gains, queues, now + min(max(0.0, share_s), time_limit_s))
        cost = slot_cost(problem.segments, decided.plan, gains, queues)
        queues = cost.queues
        done.plans.append(decided.plan)
        done.costs.append(cost)
        if decided.gap is not None:
            done.gaps.append(decided.gap)
    done.seconds = time.monotonic() - started
    return done


def row(case: str, seed: int, name: str, problem: SegmentScheduling, policy: Policy, limit_s: float) -> Row:
    """Run a policy and return its figures, judged by the problem."""
    done = run(problem, policy, limit_s)
    check = problem.check(SegmentPlan(slots=tuple(done.plans)))
    return {
        "case": case,
        "seed": seed,
        "policy": name,
        "slots": len(done.costs),
        "whole": measures(problem, done.costs).to_document(),
        "late": measures(problem, done.costs[len(done.costs) // 2 :]).to_document(),
        "notes": policy.notes(),
        "illegal": sorted({violation.rule for violation in check.violations}),
        "seconds": done.seconds,
        "mean_gap": sum(done.gaps) / len(done.gaps) if done.gaps else None,
        "largest_gap": max(done.gaps, default=None),
    }


def document(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the Markdown of all cases."""
    for case in dict.fromkeys(row["case"] for row in rows):
        own = [row for row in rows if row["case"] == case]
        seeds, slots = len({row["seed"] for row in own}), own[0]["slots"]
        yield f"### {case}: {seeds} seeds, {slots} slots"
        for part, title in (("late", "Second half of the horizon"), ("whole", "Whole horizon")):
            yield from ("", f"{title}:", "", *figures(own, part))
        yield from ("", "The controller's gain, second half:", "", *beside_the_paper(own, "late"))
        yield from ("", *verdict(own, "late"))
        bent = list(bent_rules(own))
        if bent:
            yield from ("", "Rules bent for the memory, and plans that are not legal:", "", *bent)
        yield from ("", *effort(own), "")


def _said(one: Row) -> str:
    late = one["late"]
    return (
        f"{one['case']}, seed {one['seed']}, {one['policy']}: {late['latency_s']:.3f} s, excess "
        f"{100 * late['excess']:.1f} %, noise {late['noise']:.3f}, in {one['seconds']:.1f} s"
    )


def measured(
    known: Sequence[Row], cases: Sequence[SegmentCase], arguments: argparse.Namespace
) -> Iterator[Row]:
    """Yield the runs that are asked for and not known."""
    done = {(row["case"], row["seed"], row["policy"], row["slots"]) for row in known}
    for case in cases:
        for seed in case.seeds(arguments.seeds):
            problem = case.build(seed, arguments.slots, arguments.tradeoff)
            for name in arguments.policies:
                if (case.name, seed, name, arguments.slots) not in done:
                    policy = POLICIES[name](problem, arguments.gap)
                    yield row(case.name, seed, name, problem, policy, arguments.time_limit)


def main() -> None:
    """Run what is asked for and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--slots", type=int, default=1000, help="horizon")
    parser.add_argument("--seeds", type=int, default=5, help="instances of each case")
    parser.add_argument("--time-limit", type=float, default=300.0, help="seconds for each run of a policy")
    parser.add_argument("--gap", type=float, default=0.01, help="relative gap of every slot")
    parser.add_argument("--tradeoff", type=float, help="V in 1/s; by default 10")
    parser.add_argument("--only", default="", help="part of a case's name")
    parser.add_argument("--policies", nargs="*", choices=POLICIES, default=list(POLICIES), help="which")
    parser.add_argument("--rows", type=Path, help="file for the runs as JSON; those in it are not run again")
    parser.add_argument("--out", type=Path, help="file for the Markdown")
    arguments = parser.parse_args()
    rows: list[Row] = []
    if arguments.rows is not None and arguments.rows.exists():
        rows = json.loads(arguments.rows.read_text(encoding="utf-8"))
    cases = [case for case in CASES if arguments.only in case.name]
    for one in measured(tuple(rows), cases, arguments):
        rows.append(one)
        print(_said(one), file=sys.stderr, flush=True)
        if arguments.rows is not None:
            arguments.rows.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    text = "\n".join([*document(rows), provenance()])
    print(text)
    if arguments.out is not None:
        arguments.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
