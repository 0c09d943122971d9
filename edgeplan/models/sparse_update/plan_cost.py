"""What a plan brings and takes, device by device and together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from edgeplan.models.sparse_update.collectives import canonical_collectives, cost_of
from edgeplan.models.sparse_update.instance import SparseUpdateInstance
from edgeplan.models.sparse_update.network import CollectiveCost
from edgeplan.models.sparse_update.overlap import Span, overlapped
from edgeplan.models.sparse_update.plan import Collective, DevicePlan, SparsePlan, Update
from edgeplan.models.sparse_update.slices import Updated, alike, updated_slices


@dataclass(frozen=True)
class DeviceCost:
    """Memory, step and contribution of one device."""

    id: str
    memory_bytes: int
    memory_share: float
    step_s: float
    contribution: float


@dataclass(frozen=True)
class PlanCost:
    """The costs of a plan whose structure is whole.

    Parameters
    ----------
    instance
        The instance.
    devices
        What each device updates, in the instance's order.
    listed
        The collectives of the plan; None stands for the canonical ones.
    """

    instance: SparseUpdateInstance
    devices: tuple[DevicePlan, ...]
    listed: tuple[Collective, ...] | None = None

    @classmethod
    def of(cls, instance: SparseUpdateInstance, plan: SparsePlan) -> PlanCost:
        """Put a plan's devices in the instance's order."""
        given = {device.id: device for device in plan.devices}
        return cls(instance, tuple(given[device.id] for device in instance.devices), plan.collectives)

    @cached_property
    def updated(self) -> tuple[Updated, ...]:
        """Slices with parameters and who updates them."""  # (5)
        return tuple(updated_slices(self.instance, self.devices))

    @cached_property
    def collectives(self) -> tuple[Collective, ...]:
        """The collectives of the plan, in their order."""
        if self.listed is not None:
            return self.listed
        return tuple(canonical_collectives(self.instance, self.updated))

    @cached_property
    def aggregation(self) -> CollectiveCost:
        """What the collectives take together."""  # (7)
        return cost_of(self.instance, self.collectives, self.updated)

    @cached_property
    def spans(self) -> tuple[Span, ...]:
        """When each collective begins and ends where a device goes on to its next one at once."""  # (9)
        return tuple(overlapped(self.instance, self.collectives, self.updated))

    @property
    def overlapped_s(self) -> float:
        """What the collectives take together then."""  # (9)
        return max((span.end_s for span in self.spans), default=0.0)

    def round_s(self, local_steps: int) -> float:
        """Seconds of a round executed: so many steps of the slowest device, and the collectives."""  # (9)
        return local_steps * max(device.step_s for device in self.device_costs) + self.overlapped_s

    @cached_property
    def device_costs(self) -> tuple[DeviceCost, ...]:
        """What every device brings and takes."""
        found: dict[int, DeviceCost] = {}
        for _, _, members in alike(self.devices):
            need = _need(self.instance, self.devices[members[0]])
            found |= {d: _cost(self.instance, d, need) for d in members}
        return tuple(found[d] for d in range(len(self.devices)))

    @property
    def objective(self) -> float:
        """What the devices bring, by their weights, less the aggregation."""
        weights = self.instance.objective
        brought = math.fsum(
            device.weight * cost.contribution
            for device, cost in zip(self.instance.devices, self.device_costs, strict=True)
        )
        return weights.contribution * brought - weights.aggregation_s * self.aggregation.seconds

    def metrics(self) -> dict[str, Any]:
        """Return the figures of the plan, and of dense data parallelism beside it."""
        own = self._figures(self.aggregation, len(self.collectives))
        return {**own, "dense": self._dense_figures()}

    def _dense_figures(self) -> dict[str, Any] | None:
        """Figures of updating everything everywhere: one all-reduce a layer, or one of all."""
        dense = _dense(self.instance)
        if dense is None:
            return None
        by_layer: dict[str, list[Updated]] = {}
        for one in dense.updated:
            by_layer.setdefault(one.slice.layer, []).append(one)
        fused = [dense.updated] if dense.updated else []
        return {"per_layer": dense._reduced(list(by_layer.values())), "fused": dense._reduced(fused)}

    def _reduced(self, groups: Sequence[Sequence[Updated]]) -> dict[str, Any]:
        """Figures with an all-reduce among all devices for each group; one device has none."""
        names = tuple(device.id for device in self.devices)
        collectives = [
            Collective(kind="all_reduce", members=names, slices=tuple(one.slice for one in group))
            for group in groups
            if len(names) > 1
        ]
        return self._figures(cost_of(self.instance, collectives, self.updated), len(collectives))

    def _figures(self, total: CollectiveCost, num_collectives: int) -> dict[str, Any]:
        return {
            "contribution": math.fsum(cost.contribution for cost in self.device_costs),
            "aggregation_s": total.seconds,
            "bytes_moved": total.bytes_moved,
            "num_groups": len({one.members for one in self.updated}),
            "num_collectives": num_collectives,
            "devices": [dict(vars(cost)) for cost in self.device_costs],
        }


class _Need(NamedTuple):
    """What a choice takes and brings on any device."""

    memory_bytes: int
    flops: float
    contribution: float


def device_cost(instance: SparseUpdateInstance, d: int, plan: DevicePlan) -> DeviceCost:
    """Return memory (1), step (2) and contribution of what a device updates."""
    return _cost(instance, d, _need(instance, plan))


def _need(instance: SparseUpdateInstance, plan: DevicePlan) -> _Need:
    layers = instance.layers
    chosen = [layers[instance.layer_index[u.layer]].option_of[u.ratio] for u in plan.updates]
    first = len(layers) - plan.depth
    memory_bytes = (
        instance.base_bytes
        + sum(layer.bias_bytes for layer in layers[first:])
        + sum(option.memory_bytes for option in chosen)
    )
    flops = math.fsum(
        [
            *(layer.forward_flops for layer in layers),
            *(layer.input_gradient_flops for layer in layers[first + 1 :]),
            *(option.weight_gradient_flops for option in chosen),
        ]
    )
    alone = instance.depth_contribution[plan.depth] or 0.0
    return _Need(memory_bytes, flops, math.fsum([alone, *(option.contribution for option in chosen)]))


def _cost(instance: SparseUpdateInstance, d: int, need: _Need) -> DeviceCost:
    device = instance.devices[d]
    return DeviceCost(
        device.id,
        need.memory_bytes,
        need.memory_bytes / device.memory_bytes,
        instance.training.batch_size * need.flops / device.flops_per_s,
        need.contribution,
    )


def _dense(instance: SparseUpdateInstance) -> PlanCost | None:
    """Every device updates all of every layer; None where the instance does not offer that."""
    if instance.depth_contribution[-1] is None:
        return None
    if any(1.0 not in layer.option_of for layer in instance.layers):
        return None
    updates = tuple(Update(layer=layer.name, ratio=1.0) for layer in instance.layers)
    depth = len(instance.layers)
    return PlanCost(
        instance,
        tuple(DevicePlan(id=device.id, depth=depth, updates=updates) for device in instance.devices),
    )
