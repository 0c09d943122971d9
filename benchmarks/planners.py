"""Edgeplan and the planners that people use, side by side in one run: ``python -m benchmarks.planners``.

Every planner gets the same instance in a process of its own, one after another, and the same time limit;
the problem itself judges every plan. Prints Markdown: objective relative to the proven bound and time for
each, a summary, and every instance on which a rival is better. RESULTS.md holds the last run.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.planner_cases import PlannerCase, planner_cases
from benchmarks.planner_table import Entry, Line, head, losses, row, summary
from benchmarks.provenance import provenance
from benchmarks.rivals import RIVALS, Rival
from benchmarks.shared_data import DataAbsentError
from benchmarks.timed_run import timed_run
from edgeplan.api import solve
from edgeplan.models.layer_assignment import LayerAssignment, Plan

_KILL_FACTOR, _KILL_EXTRA_S = 1.5, 30.0


def compare(case: PlannerCase, time_limit_s: float) -> Line:
    """Let edgeplan and every rival plan one case.

    Raises
    ------
    DataAbsentError
        When the case's data is not there.
    """
    problem = case.build()
    result, ours = _ours(problem, time_limit_s)
    rivals = {}
    for name, rival in RIVALS.items():
        rivals[name] = _rival(problem, rival, time_limit_s)
        _say(f"  {name}: {rivals[name].objective} in {rivals[name].seconds:.1f} s")
    status = "failed" if result is None else result["status"]
    bound, solver = (None, "") if result is None else (result["bound"], result["solver"]["name"])
    return Line(case.name, bound, ours, status, solver, rivals)


def _ours(problem: LayerAssignment, time_limit_s: float) -> tuple[dict[str, Any] | None, Entry]:
    run = timed_run(
        lambda: solve(problem, time_limit_s=time_limit_s, workers=2).to_document(),
        limit_s=_KILL_FACTOR * time_limit_s + _KILL_EXTRA_S,
    )
    if run.failure is not None:
        _say(f"  edgeplan: {run.failure}")
        return None, Entry(None, run.seconds, run.failure)
    result: dict[str, Any] = run.value
    plan = result.get("plan")
    entry = _judged(problem, None if plan is None else Plan.from_document(plan), run.seconds)
    _say(f"  edgeplan: {result['status']} {entry.objective}, bound {result['bound']} in {run.seconds:.1f} s")
    return result, entry


def _rival(problem: LayerAssignment, rival: Rival, time_limit_s: float) -> Entry:
    """Run one rival in a process of its own."""
    run = timed_run(
        lambda: rival(problem, time_limit_s=time_limit_s),
        limit_s=_KILL_FACTOR * time_limit_s + _KILL_EXTRA_S,
    )
    if run.failure is not None:
        return Entry(None, run.seconds, run.failure)
    return _judged(problem, run.value, run.seconds)


def _judged(problem: LayerAssignment, plan: Plan | None, seconds: float) -> Entry:
    """Let the problem judge a plan; one that breaks a rule is none, and the note says which."""
    if plan is None:
        return Entry(None, seconds)
    check = problem.check(plan)
    if not check.feasible:
        return Entry(None, seconds, f"breaks {check.violations[0].rule}")
    return Entry(check.objective, seconds)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _document(lines: list[Line], skipped: list[str]) -> Iterator[str]:
    yield from head(list(RIVALS))
    yield from (row(line) for line in lines)
    yield ""
    yield from summary(lines)
    yield ""
    yield "Where a rival is better:"
    yield ""
    yield from list(losses(lines)) or ["nowhere."]
    yield ""
    yield provenance()
    if skipped:
        yield ""
        yield from (f"Skipped {text}" for text in skipped)


def main() -> None:
    """Compare the planners on every case chosen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--time-limit", type=float, default=60.0, help="seconds for each planner")
    parser.add_argument("--only", default="", help="suite, or part of an instance's name")
    parser.add_argument("--out", type=Path, help="file for the Markdown, written after every instance")
    arguments = parser.parse_args()
    chosen = [
        case for case in planner_cases() if arguments.only in (case.suite, "") or arguments.only in case.name
    ]
    lines: list[Line] = []
    skipped: list[str] = []
    for number, case in enumerate(chosen, start=1):
        _say(f"[{number}/{len(chosen)}] {case.name}")
        try:
            lines.append(compare(case, arguments.time_limit))
        except DataAbsentError as reason:
            skipped.append(f"{case.name}: {reason}")
            continue
        if arguments.out is not None:
            arguments.out.write_text("\n".join(_document(lines, skipped)) + "\n", encoding="utf-8")
    print("\n".join(_document(lines, skipped)))


if __name__ == "__main__":
    main()
