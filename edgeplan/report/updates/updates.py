"""A plan of sparse_update beside its instance: who updates what, and how that is aggregated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from edgeplan.models.problem import Problem
from edgeplan.models.result import Result
from edgeplan.models.sparse_update import SparsePlan, SparseUpdate
from edgeplan.models.sparse_update.collectives import cost_of
from edgeplan.models.sparse_update.network import CollectiveCost
from edgeplan.models.sparse_update.plan import Collective, DevicePlan
from edgeplan.models.sparse_update.plan_cost import DeviceCost, PlanCost
from edgeplan.models.violation import Check


@dataclass(frozen=True)
class Alike:
    """Devices that do the same.

    Parameters
    ----------
    name
        Of the first of them.
    count
        How many there are.
    plan
        What each does.
    """

    name: str
    count: int
    plan: DevicePlan


@dataclass(frozen=True)
class Updates:
    """What the page shows of a plan.

    Parameters
    ----------
    problem
        The instance.
    cost
        The plan with all its costs.
    """

    problem: SparseUpdate
    cost: PlanCost

    @cached_property
    def devices(self) -> tuple[DeviceCost, ...]:
        """What every device brings and takes."""
        return self.cost.device_costs

    @cached_property
    def alike(self) -> tuple[Alike, ...]:
        """Devices by what they do, in the order of the first."""
        found: dict[object, list[DevicePlan]] = {}
        for plan in self.cost.devices:
            key = plan.depth, tuple(sorted((one.layer, one.ratio) for one in plan.updates))
            found.setdefault(key, []).append(plan)
        return tuple(Alike(plans[0].id, len(plans), plans[0]) for plans in found.values())

    def collectives(self) -> Iterator[tuple[Collective, CollectiveCost]]:
        """Yield the collectives in their order with what each costs."""
        for one in self.cost.collectives:
            yield one, cost_of(self.cost.instance, [one], self.cost.updated)

    @property
    def dense(self) -> CollectiveCost | None:
        """One all-reduce of everything among all, where the instance offers that."""
        dense = self.cost.metrics()["dense"]
        if dense is None:
            return None
        return CollectiveCost(dense["fused"]["aggregation_s"], dense["fused"]["bytes_moved"])


def updates_of(problem: Problem | None, result: Result, check: Check | None) -> Updates | None:
    """Read the updates of a result; None where it is of another problem or its plan is broken."""
    whole = check is not None and check.metrics is not None
    if not isinstance(problem, SparseUpdate) or result.plan is None or not whole:
        return None
    return Updates(problem, problem.cost(SparsePlan.from_document(result.plan)))
