"""The problem: an instance, validated once, that judges plans and knows no solver."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from edgeplan.errors import UsageError
from edgeplan.models.layer_assignment.instance import LayerAssignmentInstance, instance_faults
from edgeplan.models.layer_assignment.pipeline import batch_cost
from edgeplan.models.layer_assignment.pipeline_figures import PipelineFigures
from edgeplan.models.layer_assignment.plan import Plan
from edgeplan.models.layer_assignment.plan_cost import PlanCost, Visit, VisitCost
from edgeplan.models.layer_assignment.serial import round_cost
from edgeplan.models.layer_assignment.serial_figures import SerialFigures
from edgeplan.models.layer_assignment.stage_figures import StageFigures
from edgeplan.models.layer_assignment.violations import limit_violations, structure_violations
from edgeplan.models.problem import StatedProblem, refuse
from edgeplan.models.violation import Check


@dataclass(frozen=True)
class LayerAssignment(StatedProblem[LayerAssignmentInstance, Plan]):
    """An instance of layer_assignment with its objective, metrics and violations."""

    name: ClassVar[str] = "layer_assignment"
    instance_kind: ClassVar[type[LayerAssignmentInstance]] = LayerAssignmentInstance
    plan_kind: ClassVar[type[Plan]] = Plan
    instance_faults = staticmethod(instance_faults)

    @property
    def is_pipeline(self) -> bool:
        """Whether the stages work at the same time, on micro-batches."""
        return self.instance.schedule == "pipeline"

    @property
    def server(self) -> str | None:
        """Id of the server; None with transport peer, and for a pipeline, which has none."""
        return None if self.is_pipeline else self.instance.server

    @property
    def energy_matters(self) -> bool:
        """Whether a weight or a limit asks for energy."""
        return self.instance.objective.energy_j > 0 or self.instance.limits.budget_energy_j is not None

    @property
    def price_matters(self) -> bool:
        """Whether a weight or a limit asks for the price."""
        return self.instance.objective.price > 0 or self.instance.limits.budget_price is not None

    @property
    def objective_unit(self) -> str:
        """Unit of the objective; empty where it weighs several terms."""
        weights = self.instance.objective
        units = {"time_s": "s", "energy_j": "J", "bottleneck_s": "s", "price": ""}
        weighed = [name for name in units if getattr(weights, name) > 0]
        alone = len(weighed) == 1 and getattr(weights, weighed[0]) == 1
        return units[weighed[0]] if alone else ""

    @cached_property
    def figures(self) -> StageFigures:
        """Memory and compute time of single stages."""
        return PipelineFigures(self.instance) if self.is_pipeline else SerialFigures(self.instance)

    @property
    def serial(self) -> SerialFigures:
        """Equations (4) to (6) of this instance.

        Raises
        ------
        UsageError
            When its schedule is not serial.
        """
        if not isinstance(self.figures, SerialFigures):
            raise UsageError('/schedule: "pipeline": must be serial for this; use schedule serial')
        return self.figures

    @property
    def pipeline(self) -> PipelineFigures:
        """Equations (9) and (10) of this instance.

        Raises
        ------
        UsageError
            When its schedule is not pipeline.
        """
        if not isinstance(self.figures, PipelineFigures):
            raise UsageError('/schedule: "serial": must be pipeline for this; use schedule pipeline')
        return self.figures

    def check(self, plan: Plan) -> Check:
        """Recompute metrics and objective of any plan and list every violation.

        Examples
        --------
        >>> from edgeplan.models.layer_assignment.examples import two_layers_two_nodes
        >>> problem = two_layers_two_nodes()
        >>> plan = Plan.from_document({"stages": [{"node": "fast", "layers": ["conv", "head"]}]})
        >>> [violation.rule for violation in problem.check(plan).violations]
        ['memory']
        """
        broken = tuple(structure_violations(self.figures, plan))
        if broken:
            return Check(self.name, None, None, broken)
        visits = self._visits(plan)
        cost = self._finite(self._cost(visits))
        found = tuple(limit_violations(self.instance, visits, cost))
        return Check(self.name, self._objective(cost), self._metrics(cost), found)

    def objective(self, plan: Plan) -> float | None:
        """Weighted sum of the plan's terms; None where a term has no value.

        Raises
        ------
        InvalidPlanError
            When the plan's structure is broken.
        """
        return self._objective(self.cost(plan))

    def metrics(self, plan: Plan) -> dict[str, Any]:
        """Terms and stages of the plan, as formats.md names them.

        Raises
        ------
        InvalidPlanError
            When the plan's structure is broken.
        """
        return self._metrics(self.cost(plan))

    def cost(self, plan: Plan) -> PlanCost:
        """Cost of the plan, stage by stage.

        Raises
        ------
        InvalidPlanError
            When the plan's structure is broken.
        """
        refuse(list(structure_violations(self.figures, plan)))
        return self._finite(self._cost(self._visits(plan)))

    def _cost(self, visits: list[Visit]) -> PlanCost:
        return batch_cost(self.pipeline, visits) if self.is_pipeline else round_cost(self.serial, visits)

    @staticmethod
    def _finite(cost: PlanCost) -> PlanCost:
        """Refuse figures beyond what a float holds, which no JSON number could tell."""
        times = [
            time for visit in cost.visits for time in (visit.compute_s, visit.transfer_in_s, visit.end_s)
        ]
        if all(math.isfinite(figure) for figure in (*times, cost.energy_j, cost.price) if figure is not None):
            return cost
        raise UsageError(
            "the plan's time, energy or price is beyond the range of floating-point numbers; "
            "correct the units of speeds, rates, latencies or bytes"
        )

    def _visits(self, plan: Plan) -> list[Visit]:
        layer_of = {layer.name: index for index, layer in enumerate(self.instance.model.layers)}
        node_of = self.instance.network.index_of
        return [
            Visit(node_of[stage.node], tuple(layer_of[name] for name in stage.layers))
            for stage in plan.stages
        ]

    def _objective(self, cost: PlanCost) -> float | None:
        weights = self.instance.objective
        terms = (
            (weights.time_s, cost.time_s),
            (weights.energy_j, cost.energy_j),
            (weights.price, cost.price),
            (weights.bottleneck_s, cost.bottleneck_s),
        )
        if any(weight > 0 and term is None for weight, term in terms):
            return None
        total = sum(weight * term for weight, term in terms if term is not None)
        if not math.isfinite(total):
            raise UsageError(
                "the objective is beyond the range of floating-point numbers; use smaller weights"
            )
        return total

    def _metrics(self, cost: PlanCost) -> dict[str, Any]:
        return {
            "time_s": cost.time_s,
            "energy_j": cost.energy_j,
            "price": cost.price,
            "bottleneck_s": cost.bottleneck_s,
            "bytes_moved": cost.bytes_moved,
            "stages": [self._stage_metrics(visit) for visit in cost.visits],
        }

    def _stage_metrics(self, cost: VisitCost) -> dict[str, Any]:
        node = self.instance.network.nodes[cost.visit.node]
        return {
            "node": node.id,
            "memory_bytes": cost.memory_bytes,
            "memory_budget_bytes": node.memory_bytes,
            "start_s": cost.start_s,
            "end_s": cost.end_s,
            "compute_s": cost.compute_s,
            "transfer_in_s": cost.transfer_in_s,
            "transfer_out_s": cost.transfer_out_s,
            "bytes_in": cost.bytes_in,
            "bytes_out": cost.bytes_out,
        }
