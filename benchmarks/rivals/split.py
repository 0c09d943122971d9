"""A split: runs of consecutive layers on nodes in order; and the choice among several by what they cost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edgeplan.models.layer_assignment import LayerAssignment, Plan


@dataclass(frozen=True)
class Split:
    """Node k owns the positions from the end of the run before it to `ends[k]`.

    Parameters
    ----------
    nodes
        Indices of the nodes, in visiting or pipeline order.
    ends
        Where each run ends; rising, the last is the number of layers to assign.
    """

    nodes: tuple[int, ...]
    ends: tuple[int, ...]

    @property
    def starts(self) -> tuple[int, ...]:
        """Where each run begins."""
        return (0, *self.ends[:-1])

    def to_plan(self, problem: LayerAssignment) -> Plan:
        """Return it in the problem's words.

        Examples
        --------
        >>> from edgeplan.models.layer_assignment.examples import two_layers_two_nodes
        >>> [stage.node for stage in Split((1, 0), (1, 2)).to_plan(two_layers_two_nodes()).stages]
        ['slow', 'fast']
        """
        nodes, layers = problem.instance.network.nodes, problem.instance.model.layers
        names = [layers[index].name for index in problem.figures.own]
        stages = [
            {"node": nodes[node].id, "layers": names[start:end]}
            for node, start, end in zip(self.nodes, self.starts, self.ends, strict=True)
        ]
        return Plan.from_document({"stages": stages})


def best_feasible(problem: LayerAssignment, splits: Iterable[Split | None]) -> Plan | None:
    """Return the cheapest of the splits that break no rule; None where all do."""
    best: tuple[float, Plan] | None = None
    for split in dict.fromkeys(splits):
        if split is None:
            continue
        plan = split.to_plan(problem)
        check = problem.check(plan)
        if check.feasible and check.objective is not None and (best is None or check.objective < best[0]):
            best = check.objective, plan
    return None if best is None else best[1]
