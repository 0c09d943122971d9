"""What a step keeps and takes on a device: live tensors, and saved ones beside those of eager PyTorch."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from edgeplan.models.sparse_update.plan import DevicePlan
from edgeplan.models.step_memory import StepPeak
from edgeplan.runtime.learning.memory import LiveTensors
from edgeplan.runtime.sparse.arithmetic import saved_bytes
from edgeplan.runtime.sparse.counting import count_saved_bytes
from edgeplan.runtime.sparse.execution.device.material import Material
from edgeplan.runtime.sparse.execution.device.replica import Replica
from edgeplan.runtime.sparse.measured.base_bytes import resident_bytes
from edgeplan.runtime.sparse.measured.costs import costs_of
from edgeplan.runtime.sparse.measured.update_peak import saved_by_others, update_peak
from edgeplan.runtime.sparse.workload import Batch

MEASURED_STEPS = 2  # a momentum exists from the second step on


@dataclass(frozen=True)
class StepMemory:
    """Memory of a training step.

    Parameters
    ----------
    peak_bytes
        Most that lives at once: parameters, buffers, orders of channels, the batch, gradients, momentum, and
        everything that operators put out. What the base of an instance counts is in it.
    saved_bytes
        What autograd keeps of the batch from the forward to the backward pass.
    eager_saved_bytes
        What it keeps in eager PyTorch when the same biases, and the whole weights of the same layers, are
        trained.
    """

    peak_bytes: int
    saved_bytes: int
    eager_saved_bytes: int


def measure(material: Material, trained: DevicePlan, batch: Batch) -> StepMemory:
    """Measure steps on copies, so that the count neither slows the timed ones down nor changes anything."""
    images, _ = batch
    pruned = Replica(material, trained).network.module
    return StepMemory(
        _peak_bytes(Replica(material, trained), material, batch),
        count_saved_bytes(pruned, images),
        count_saved_bytes(eager(material, trained), images),
    )


def predicted_peak(material: Material, trained: DevicePlan, batch: Batch) -> StepPeak:
    """Return the peak that follows from figures of the layers; only shape and type of the batch matter."""
    start, (images, _), layers = material.workload.start(), batch, material.layers
    ratios = {update.layer: update.ratio for update in trained.updates}
    own_bytes = saved_bytes(layers, depth=trained.depth, ratios=ratios)
    return update_peak(
        costs_of(start, layers, images, momentum=material.workload.settings.momentum > 0),
        resident_bytes=resident_bytes(start, layers, images),
        depth=trained.depth,
        ratios=ratios,
        others_bytes=saved_by_others(Replica(material, trained).network, images, own_bytes),
    )


def _peak_bytes(replica: Replica, material: Material, batch: Batch) -> int:
    module = replica.network.module
    existing = [*module.parameters(), *module.buffers(), *material.orders.values(), *batch]
    with LiveTensors(existing) as live:
        for _ in range(MEASURED_STEPS):
            replica.train(batch)
    return int(live.peak_bytes)


def eager(material: Material, trained: DevicePlan) -> nn.Module:
    """Return the network as it is, with gradients required of what the device trains."""
    module = material.workload.start().requires_grad_(False)
    for layer in material.layers[len(material.layers) - trained.depth :]:
        if layer.bias_parameters:
            module.get_parameter(f"{layer.norm or layer.name}.bias").requires_grad_(True)
    for update in trained.updates:
        module.get_parameter(f"{update.layer}.weight").requires_grad_(True)
    return module
