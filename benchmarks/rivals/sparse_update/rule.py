"""What a rule decides: depth and updates of one device, within its memory and step time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from edgeplan.models.sparse_update import SparsePlan, SparseUpdateInstance
from edgeplan.models.sparse_update.plan import DevicePlan, Update
from edgeplan.models.sparse_update.plan_cost import device_cost


class Rule(Protocol):
    """A way to choose."""

    @property
    def name(self) -> str:
        """Name in the table."""

    def choose(self, instance: SparseUpdateInstance, d: int) -> DevicePlan:
        """Choose for a device by itself."""


def planned(instance: SparseUpdateInstance, d: int, depth: int, options: Mapping[int, int]) -> DevicePlan:
    """Write a choice: depth, and the option of some layers."""
    updates = tuple(
        Update(layer=instance.layers[index].name, ratio=instance.layers[index].options[k].ratio)
        for index, k in sorted(options.items())
    )
    return DevicePlan(id=instance.devices[d].id, depth=depth, updates=updates)


def fits(instance: SparseUpdateInstance, d: int, plan: DevicePlan) -> bool:
    """Whether a device can do this."""
    cost, device = device_cost(instance, d, plan), instance.devices[d]
    in_time = device.max_step_s is None or cost.step_s <= device.max_step_s
    allowed = instance.depth_contribution[plan.depth] is not None
    return cost.memory_bytes <= device.memory_bytes and in_time and allowed


def worth(instance: SparseUpdateInstance, d: int, plan: DevicePlan) -> float:
    """What a device brings so."""
    return device_cost(instance, d, plan).contribution


def plan_by(rule: Rule, instance: SparseUpdateInstance) -> SparsePlan:
    """Let every device choose by itself."""
    return SparsePlan(devices=tuple(rule.choose(instance, d) for d in range(len(instance.devices))))
