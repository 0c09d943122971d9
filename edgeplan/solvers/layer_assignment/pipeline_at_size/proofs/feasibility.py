"""Two reasons why an instance has no plan: no chain of stages even with nodes used twice, and another."""

from __future__ import annotations

import math

import numpy as np

from edgeplan.models.result import Stop
from edgeplan.solvers.layer_assignment.pipeline_at_size.chains.priced import Charges, cheapest
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.field import Field
from edgeplan.solvers.layer_assignment.pipeline_at_size.proofs.scarcity import Scarcity
from edgeplan.solvers.search import Ending


def without_chain(field: Field, scarcity: Scarcity) -> Ending:
    """Close a search in which no chain was found from the end: infeasible if another reason agrees."""
    reason = _by_counting(field) or _by_memory(field) or _from_the_start(scarcity)
    if reason is None:
        detail = "no chain of stages covers the layers, but no second method could confirm it"
        return Ending(Stop.WORK_LIMIT, detail=detail)
    return Ending(Stop.PROOF, infeasible=True, detail=f"no plan exists ({reason})")


def none_left() -> Ending:
    """Close a search in which prices deny every plan, which no second method has confirmed."""
    detail = "prices on scarce nodes rule every plan out, and no second method confirms that no plan exists"
    return Ending(Stop.WORK_LIMIT, detail=detail)


def _by_counting(field: Field) -> str | None:
    """More stages asked for than there can be, or too few for the layers."""
    fewest, most = field.num_stages
    if fewest > most:
        return f"at least {fewest} nodes are asked for, and at most {most} can be used"
    if most * field.runs.most_layers < field.runs.num_layers:
        return (
            f"{most} nodes of at most {field.runs.most_layers} layers own fewer than {field.runs.num_layers}"
        )
    return None


def _by_memory(field: Field) -> str | None:
    """A layer that no node may own and hold alone."""
    figures, instance = field.problem.figures, field.problem.instance
    for index, layer in enumerate(instance.model.layers):
        need = figures.memory_bytes([index])
        owner = instance.pin.get(layer.name)
        nodes = instance.network.nodes
        if owner is not None:
            nodes = (nodes[instance.network.index_of[owner]],)
        refused = {node for name, node in instance.forbid if name == layer.name}
        if not any(node.memory_bytes >= need and node.id not in refused for node in nodes):
            return f"no node may own and hold layer {layer.name} alone"
    return None


def _from_the_start(scarcity: Scarcity) -> str | None:
    """Chains built from the first layer on, whatever their number of stages, reach no end either."""
    behind = np.zeros(scarcity.ground.field.runs.num_layers + 1, dtype=np.int64)
    rows, track = scarcity.track(math.inf, behind)
    if math.isfinite(cheapest(track, Charges(np.zeros(len(rows)))).price):
        return None
    return "no chain of stages covers the layers, even with nodes used twice, from either end"
