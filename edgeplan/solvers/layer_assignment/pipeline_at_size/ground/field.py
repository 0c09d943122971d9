"""The network of an instance: all nodes as columns, figures of runs and links, pins and forbids."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from edgeplan.models.layer_assignment import LayerAssignment, Plan, Stage
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.links import Links
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.nodes import NodeColumns
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.rules import Rules
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.runs import Runs

Stages = list[tuple[int, int, int]]
"""Stages as (start, end, index of the node)."""


@dataclass(frozen=True)
class Field:
    """All nodes of an instance.

    Parameters
    ----------
    problem
        An instance with schedule pipeline.
    """

    problem: LayerAssignment

    @cached_property
    def nodes(self) -> NodeColumns:
        """All nodes."""
        return NodeColumns.of(self.problem)

    @cached_property
    def runs(self) -> Runs:
        """Figures of runs."""
        return Runs(self.problem)

    @cached_property
    def links(self) -> Links:
        """Figures of links."""
        return Links(self.problem)

    @cached_property
    def rules(self) -> Rules:
        """Pins and forbids."""
        return Rules(self.problem)

    @property
    def num_stages(self) -> tuple[int, int]:
        """Fewest and most stages of a plan."""
        limits, nodes = self.problem.instance.limits, self.problem.instance.network.nodes
        most = min(self.runs.num_layers, len(nodes))
        return limits.min_nodes, min(limits.max_nodes or most, most)

    def plan(self, stages: Stages) -> Plan:
        """Return the stages in the problem's words."""
        layers, nodes = self.problem.instance.model.layers, self.problem.instance.network.nodes
        return Plan(
            stages=tuple(
                Stage(node=nodes[node].id, layers=tuple(layer.name for layer in layers[start:end]))
                for start, end, node in stages
            )
        )
