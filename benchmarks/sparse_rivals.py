"""Plans of sparse_update beside what others do: ``python -m benchmarks.sparse_rivals``.

Every rule fills the memory of the same devices; the problem itself costs every plan, with slices fused by
their devices and each alone. Prints Markdown, dense data parallelism and the paper's figures beside it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import edgeplan
from benchmarks.provenance import provenance
from benchmarks.rivals.sparse_update import RULES
from benchmarks.rivals.sparse_update.rule import plan_by
from benchmarks.shared_data import FOLDER
from edgeplan.models.sparse_update import SparsePlan, SparseUpdate
from edgeplan.models.sparse_update.mcunetv3_instance import mcunetv3_document, read_gains

MEASURED = Path(__file__).parent.parent / "instances" / "sparse_update" / "mobilenetv2-7-devices.json"
GAINS = FOLDER / "mcunetv3-mbv2-w035-cifar10.csv"
_BUDGETS = [kilobytes * 1024 for kilobytes in range(50, 150, 15)]
_WEIGHT = 1.0


@dataclass(frozen=True)
class Row:
    """Figures of one plan."""

    name: str
    contribution: float
    memory_share: float
    fused_s: float
    alone_s: float
    objective: float
    solve_s: float
    status: str


def cases() -> Iterator[SparseUpdate]:
    """Yield the instances; MCUNetV3's where its contributions are at hand."""
    if GAINS.is_file():
        document = mcunetv3_document(read_gains(GAINS), _BUDGETS)
        document["objective"]["aggregation_s"] = _WEIGHT
        yield SparseUpdate.from_document(document)
    measured = edgeplan.load(MEASURED)
    assert isinstance(measured, SparseUpdate)
    yield measured


def row(problem: SparseUpdate, name: str, make: Callable[[SparseUpdate], tuple[SparsePlan, str]]) -> Row:
    """Make a plan, and let the problem cost it."""
    began = time.monotonic()
    plan, status = make(problem)
    seconds = time.monotonic() - began
    check = problem.check(plan)
    assert check.feasible, check.violations
    assert check.metrics is not None
    shares = [device["memory_share"] for device in check.metrics["devices"]]
    bare = plan.model_copy(update={"collectives": None})
    alone = problem.replace(fuse=False, collectives="canonical").metrics(bare)
    return Row(
        name,
        check.metrics["contribution"],
        sum(shares) / len(shares),
        check.metrics["aggregation_s"],
        alone["aggregation_s"],
        problem.objective(plan),
        seconds,
        status,
    )


def solved(solver: str, limit_s: float, **members: Any) -> Callable[[SparseUpdate], tuple[SparsePlan, str]]:
    """Solve, perhaps with other collectives."""

    def make(problem: SparseUpdate) -> tuple[SparsePlan, str]:
        result = edgeplan.solve(problem.replace(**members), solver, time_limit_s=limit_s)
        return SparsePlan.from_document(
            result.plan
        ), f"{result.status}, gap {100 * (result.gap or 0.0):.2g} %"

    return make


def table(problem: SparseUpdate, limit_s: float) -> Iterator[str]:
    """Yield the lines of a case's table."""
    free = problem.replace(collectives="free")
    rows = [
        row(problem, rule.name, lambda own, rule=rule: (plan_by(rule, own.instance), ""))  # type: ignore[misc]
        for rule in RULES
    ]
    rows.append(row(problem, "edgeplan, each device alone", solved("dp", limit_s)))
    rows.append(row(problem, "edgeplan", solved("lagrangian", limit_s)))
    rows.append(row(free, "edgeplan, free collectives", solved("lagrangian", limit_s)))
    most = rows[-2].contribution
    yield f"### {problem.instance.name}"
    yield ""
    yield "| plan | contribution | of ours | memory | aggregation | slices alone | objective | planned in | |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |"
    for one in rows:
        yield (
            f"| {one.name} | {one.contribution:.3f} | {100 * one.contribution / most:.1f} % | "
            f"{100 * one.memory_share:.1f} % | {one.fused_s:.3f} s | {one.alone_s:.3f} s | "
            f"{one.objective:.4f} | {one.solve_s:.2f} s | {one.status} |"
        )
    yield from _dense_lines(problem, rows[-2])


def _dense_lines(problem: SparseUpdate, ours: Row) -> Iterator[str]:
    """Dense data parallelism beside our plan, in the shape of the paper's figures."""
    plan = SparsePlan(devices=tuple(plan_by(RULES[1], problem.instance).devices))
    dense = problem.metrics(plan)["dense"]
    if dense is None:
        return
    needs = [device["memory_bytes"] for device in dense["fused"]["devices"]]
    has = [device.memory_bytes for device in problem.instance.devices]
    used = ours.memory_share * sum(has) / len(has)
    saved = 1 - used / (sum(needs) / len(needs))
    each, fused = dense["per_layer"]["aggregation_s"], dense["fused"]["aggregation_s"]
    yield ""
    yield (
        f"Dense data parallelism needs {100 * sum(needs) / sum(has):.0f} % of the devices' memory; our plan "
        f"saves {100 * saved:.1f} % of that (paper: 59.6 %). Aggregation: dense by layer "
        f"{each:.3f} s, dense fused {fused:.3f} s, sparse with slices alone "
        f"{ours.alone_s:.3f} s, sparse fused {ours.fused_s:.3f} s "
        "(paper, whole batch: 28.98, -, 7.14 and 5.60 s)."
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--time-limit", type=float, default=60.0, help="seconds for each solve")
    limit_s = parser.parse_args().time_limit
    print(provenance())
    for problem in cases():
        print("\n".join(["", *table(problem, limit_s)]), flush=True)


if __name__ == "__main__":
    main()
