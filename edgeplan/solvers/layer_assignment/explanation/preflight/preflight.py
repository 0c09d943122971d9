"""Preflight: necessary conditions with numbers, by arithmetic alone, before any solver is asked.

A condition that fails proves that no plan exists. That all of them hold proves nothing.
"""

from __future__ import annotations

from edgeplan.models.explanation import Condition
from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.solvers.layer_assignment.explanation.preflight.floors import Floors
from edgeplan.solvers.layer_assignment.explanation.preflight.memory_conditions import (
    layers_fit_a_node,
    layers_fit_together,
    pinned_runs_fit,
)
from edgeplan.solvers.layer_assignment.explanation.preflight.plan_conditions import (
    budgets_suffice,
    enough_nodes,
    enough_samples,
    pins_agree,
)


def preflight(problem: LayerAssignment) -> tuple[Condition, ...]:
    """Decide every necessary condition that arithmetic decides; those that fail come first.

    Examples
    --------
    >>> from edgeplan.models.layer_assignment.examples import two_layers_two_nodes
    >>> all(condition.holds for condition in preflight(two_layers_two_nodes()))
    True
    """
    floors = Floors(problem)
    if not floors.workers:
        return tuple(enough_nodes(floors))
    found = [
        *layers_fit_a_node(floors),
        *pinned_runs_fit(floors),
        *layers_fit_together(floors),
        *enough_nodes(floors),
        *enough_samples(floors),
        *pins_agree(floors),
        *budgets_suffice(floors),
    ]
    return tuple(sorted(found, key=lambda condition: condition.holds))
