"""What the devices run, one after the other from the same start: the plan, and dense data parallelism."""

from __future__ import annotations

from dataclasses import dataclass

from edgeplan.models.sparse_update import SparseUpdateInstance
from edgeplan.models.sparse_update.plan import Collective, DevicePlan, Update
from edgeplan.models.sparse_update.plan_cost import PlanCost
from edgeplan.models.sparse_update.slices import updated_slices

PLAN, DENSE = "plan", "dense"
PHASES = (PLAN, DENSE)


@dataclass(frozen=True)
class Phase:
    """One way to train.

    Parameters
    ----------
    name
        ``plan`` or ``dense``.
    cost
        What each device trains, and the collectives.
    """

    name: str
    cost: PlanCost


def dense_cost(instance: SparseUpdateInstance) -> PlanCost | None:
    """Let every device train everything, averaged by one all-reduce; None where that is not on offer.

    Examples
    --------
    >>> from edgeplan.models.sparse_update.examples import two_layers_two_boards
    >>> cost = dense_cost(two_layers_two_boards().instance)
    >>> cost.aggregation.bytes_moved, len(cost.collectives)
    (8000.0, 1)
    """
    offered = all(1.0 in layer.option_of for layer in instance.layers)
    if not offered or instance.depth_contribution[-1] is None:
        return None
    devices = largest_update(instance)
    slices = tuple(one.slice for one in updated_slices(instance, devices))
    names = tuple(device.id for device in instance.devices)
    fused = Collective(kind="all_reduce", members=names, slices=slices)
    return PlanCost(instance, devices, (fused,) if len(names) > 1 and slices else ())


def largest_update(instance: SparseUpdateInstance) -> tuple[DevicePlan, ...]:
    """Let every device train as much of every layer as is on offer."""
    depth = max(k for k, brings in enumerate(instance.depth_contribution) if brings is not None)
    reached = instance.layers[len(instance.layers) - depth :]
    updates = tuple(
        Update(layer=layer.name, ratio=layer.options[-1].ratio) for layer in reached if layer.options
    )
    return tuple(DevicePlan(id=device.id, depth=depth, updates=updates) for device in instance.devices)
