"""The problem: an instance, validated once, that judges plans and knows no solver."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from edgeplan.models.problem import StatedProblem, refuse
from edgeplan.models.sparse_update.faults import instance_faults
from edgeplan.models.sparse_update.instance import SparseUpdateInstance
from edgeplan.models.sparse_update.plan import SparsePlan
from edgeplan.models.sparse_update.plan_cost import PlanCost
from edgeplan.models.sparse_update.violations import limit_violations, structure_violations
from edgeplan.models.violation import Check


@dataclass(frozen=True)
class SparseUpdate(StatedProblem[SparseUpdateInstance, SparsePlan]):
    """An instance of sparse_update with its objective, metrics and violations."""

    name: ClassVar[str] = "sparse_update"
    instance_kind: ClassVar[type[SparseUpdateInstance]] = SparseUpdateInstance
    plan_kind: ClassVar[type[SparsePlan]] = SparsePlan
    maximises: ClassVar[bool] = True
    instance_faults = staticmethod(instance_faults)

    def check(self, plan: SparsePlan) -> Check:
        """Judge any plan: metrics, objective and every violation.

        Examples
        --------
        >>> from edgeplan.models.sparse_update.examples import two_layers_two_boards
        >>> problem = two_layers_two_boards()
        >>> both = {"depth": 2, "updates": [{"layer": "conv", "ratio": 1.0}, {"layer": "fc", "ratio": 1.0}]}
        >>> devices = [{"id": "small", **both}, {"id": "large", **both}]
        >>> check = problem.check(SparsePlan.from_document({"devices": devices}))
        >>> [violation.pointer for violation in check.violations]
        ['/devices/0/memory_bytes']
        """
        broken = tuple(structure_violations(self.instance, plan))
        if broken:
            return Check(self.name, None, None, broken)
        cost = PlanCost.of(self.instance, plan)
        found = tuple(limit_violations(cost, plan))
        return Check(self.name, cost.objective, cost.metrics(), found)

    def objective(self, plan: SparsePlan) -> float:
        """What the updates bring, less the aggregation; the larger the better.

        Raises
        ------
        InvalidPlanError
            When the plan's structure is broken.
        """
        return self.cost(plan).objective

    def metrics(self, plan: SparsePlan) -> dict[str, Any]:
        """What the plan brings and takes, term by term.

        Raises
        ------
        InvalidPlanError
            When the plan's structure is broken.
        """
        return self.cost(plan).metrics()

    def cost(self, plan: SparsePlan) -> PlanCost:
        """Cost of a plan.

        Raises
        ------
        InvalidPlanError
            When the plan's structure is broken.
        """
        refuse(list(structure_violations(self.instance, plan)))
        return PlanCost.of(self.instance, plan)
