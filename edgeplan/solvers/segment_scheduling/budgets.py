"""Budgets that no policy can keep on the given gains, by arithmetic alone.

A transfer of D bits takes at least the energy N0 D ln 2 / g, whatever its band and time: (e^u - 1)/u >= 1.
Every cluster uploads its parameters and at least one micro-batch in every slot, and a device without which
its cluster has no segmentation computes at least its lightest run of blocks once. So the mean of what a slot
takes at least is a floor of the long-run average.
"""

from __future__ import annotations

import math

from edgeplan.models.explanation import Condition
from edgeplan.models.segment_scheduling import SegmentScheduling
from edgeplan.solvers.segment_scheduling.first_structures import Feasibility, UndecidedError
from edgeplan.solvers.segment_scheduling.slot_arrays import InstanceArrays


def budget_conditions(problem: SegmentScheduling) -> list[Condition]:
    """Return the floors of all budgets, those that cannot be kept first."""
    found = [*_uplinks(problem), *_indispensable(problem), _noise(problem)]
    return sorted(found, key=lambda condition: condition.holds)


def _condition(rule: str, pointer: str, need: float, have: float, what: str, unit: str) -> Condition:
    holds = need <= have
    verdict = "can be kept" if holds else "cannot be kept by any policy"
    floor = f"{what} takes at least {need:.6g}{unit} in the mean of all slots"
    message = f"{floor}; its budget of {have:.6g}{unit} {verdict}"
    return Condition(rule=rule, pointers=(pointer,), need=need, have=have, holds=holds, message=message)


def _uplinks(problem: SegmentScheduling) -> list[Condition]:
    instance, segments = problem.instance, problem.segments
    bits = segments.upload_bits + segments.hop_bits(segments.num_blocks - 1)
    joule = instance.noise_w_per_hz * bits * math.log(2.0)
    inverse = dict.fromkeys((cluster.id for cluster in instance.clusters), 0.0)
    for gains in problem.gains():
        for name, gain in gains.uplink.items():
            inverse[name] += 1 / gain
    slots = instance.control.slots
    return [
        _condition(
            "uplink_energy",
            f"/clusters/{n}/uplink_energy_budget_j",
            joule * inverse[cluster.id] / slots,
            cluster.uplink_energy_budget_j,
            f"the control unit of cluster {cluster.id}",
            " J",
        )
        for n, cluster in enumerate(instance.clusters)
    ]


def _indispensable(problem: SegmentScheduling) -> list[Condition]:
    """Devices without which their cluster has no segmentation."""
    arrays, found = InstanceArrays(problem), []
    for n, cluster in enumerate(problem.instance.clusters):
        for i, device in enumerate(cluster.devices):
            present = [k != i for k in range(len(cluster.devices))]
            try:
                needed = Feasibility(arrays, n, present).structure() is None
            except UndecidedError:
                continue
            if needed:
                lightest = min(problem.segments.compute_s(device, b, b) for b in range(arrays.num_blocks))
                found.append(
                    _condition(
                        "device_energy",
                        f"/clusters/{n}/devices/{i}/energy_budget_j",
                        device.compute_power_w * lightest,
                        device.energy_budget_j,
                        f"device {device.id}, without which cluster {cluster.id} has no segmentation,",
                        " J",
                    )
                )
    return found


def _noise(problem: SegmentScheduling) -> Condition:
    instance = problem.instance
    most = len(instance.clusters) * instance.training.max_micro_batches
    least = instance.control.noise_level / instance.training.micro_batch_size / most
    budget = instance.control.noise_budget
    return _condition("noise", "/control/noise_budget", least, budget, "the gradient noise", "")
