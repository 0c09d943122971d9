"""Who takes part in sparse_executed.py: dense data parallelism, the rules of others, and our plans."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import edgeplan
from benchmarks.rivals.sparse_update import RULES
from benchmarks.rivals.sparse_update.data_parallel import PER_TENSOR_MB
from benchmarks.rivals.sparse_update.per_byte import PerByte
from benchmarks.rivals.sparse_update.rule import Rule, plan_by
from edgeplan.models.sparse_update import SparsePlan, SparseUpdate
from edgeplan.models.sparse_update.plan import Collective
from edgeplan.runtime.processes.records import read_json, write_json

PER_TENSOR, FUSED = "dense, DDP per tensor", "dense, DDP fused"
GREEDY_IN_ONE = "most for a byte, one all-reduce"
UNFUSED, OURS, FREE = "edgeplan, unfused", "edgeplan", "edgeplan, free collectives"
DENSE = {PER_TENSOR: PER_TENSOR_MB, FUSED: None}
MEMBERS: dict[str, dict[str, Any]] = {UNFUSED: {"fuse": False}, OURS: {}, FREE: {"collectives": "free"}}
"""Members of the instance that each of our plans is solved with."""


@dataclass(frozen=True)
class Contender:
    """One way to train the network of an instance.

    Parameters
    ----------
    name
        In the table.
    problem
        The instance, with the collectives of this plan.
    plan
        What is run; None is dense data parallelism.
    bucket_cap_mb
        Of data parallelism; None is DDP's default.
    note
        How the plan was found.
    """

    name: str
    problem: SparseUpdate
    plan: SparsePlan | None = None
    bucket_cap_mb: float | None = None
    note: str = ""

    @property
    def slug(self) -> str:
        """Name of its folder."""
        return self.name.replace(",", "").replace(" ", "-")

    @property
    def learns_alike(self) -> bool:
        """Whether another one learns the same: how parameters travel changes rounding at most."""
        return self.name in (PER_TENSOR, GREEDY_IN_ONE)


def contenders(problem: SparseUpdate, limit_s: float, folder: Path) -> Iterator[Contender]:
    """Yield all of them; plans that were found before are taken from the folder.

    Parameters
    ----------
    problem
        The instance.
    limit_s
        Seconds for each of our plans.
    folder
        Keeps plans.
    """
    for name, bucket_cap_mb in DENSE.items():
        yield Contender(name, problem, bucket_cap_mb=bucket_cap_mb)
    for rule in RULES:
        yield _planned(rule.name, problem, folder, lambda rule=rule: _by_rule(rule, problem))  # type: ignore[misc]
    yield _in_one(problem, PerByte())
    for name, members in MEMBERS.items():
        own = problem.replace(**members)
        yield _planned(name, own, folder, lambda own=own: _solved(own, limit_s))  # type: ignore[misc]


def _planned(name: str, problem: SparseUpdate, folder: Path, make: Callable[[], dict[str, Any]]) -> Contender:
    path = folder / f"{Contender(name, problem).slug}.json"
    if not path.is_file():
        write_json(path, make())
    kept = read_json(path)
    return Contender(name, problem, SparsePlan.from_document(kept["plan"]), note=kept["note"])


def _in_one(problem: SparseUpdate, rule: Rule) -> Contender:
    """Let all devices average whatever one of them trains, in one buffer: no choice, and few messages."""
    plan = plan_by(rule, problem.instance)
    slices = tuple(one.slice for one in problem.cost(plan).updated)
    names = tuple(device.id for device in problem.instance.devices)
    everything = Collective(kind="all_reduce", members=names, slices=slices)
    free = problem.replace(collectives="free")
    return Contender(GREEDY_IN_ONE, free, plan.model_copy(update={"collectives": (everything,)}))


def _by_rule(rule: Rule, problem: SparseUpdate) -> dict[str, Any]:
    began = time.monotonic()
    plan = plan_by(rule, problem.instance)
    return {"plan": plan.to_document(), "note": f"{time.monotonic() - began:.1f} s"}


def _solved(problem: SparseUpdate, limit_s: float) -> dict[str, Any]:
    began = time.monotonic()
    result = edgeplan.solve(problem, time_limit_s=limit_s)
    assert result.plan is not None, result
    gap = "" if result.gap is None else f", gap {100 * result.gap:.2g} %"
    return {"plan": result.plan, "note": f"{time.monotonic() - began:.1f} s, {result.status}{gap}"}
