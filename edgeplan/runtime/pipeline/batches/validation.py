"""What a run of a pipeline refuses, each in one line, before any process starts."""

from __future__ import annotations

import torch

from edgeplan.errors import UsageError
from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.runtime.data.samples import Samples
from edgeplan.runtime.emulation.modes import KERNEL
from edgeplan.runtime.learning.training import upscale
from edgeplan.runtime.learning.validation import input_size
from edgeplan.runtime.pipeline.stages.chain import layers_of
from edgeplan.runtime.processes.heartbeat import START_UP
from edgeplan.runtime.processes.rehearsal import CHECKPOINT, COMPUTE, SEND, check_faults
from edgeplan.runtime.snake.settings import RunSettings
from edgeplan.runtime.snake.validation import validated_network

PHASES = (START_UP, COMPUTE, SEND, CHECKPOINT)
"""What a node does in a batch, after the start-up; only the first and the last stage have a checkpoint."""

_NO_BASELINE = "none"


def validated(
    problem: LayerAssignment, plan: Plan, settings: RunSettings, training: Samples
) -> tuple[int, ...] | None:
    """Check that the plan can be run, and return what `input_size` does.

    Raises
    ------
    UsageError
        With the first rule that is broken.
    """
    if problem.instance.training.pass_ != "training":
        raise UsageError(
            '/training/pass: "inference": a run trains; plan with pass training, or use edgeplan check'
        )
    if settings.baseline != _NO_BASELINE:
        raise UsageError(f"baseline {settings.baseline!r}: a pipeline has none; leave it out")
    nodes = [stage.node for stage in plan.stages]
    check_faults(settings.faults, nodes, PHASES, have_links=settings.emulation == KERNEL)
    if settings.noise is not None:
        raise UsageError(
            f"noise {settings.noise}: a pipeline's activations leave the first stage without noise; use "
            "schedule serial, or leave noise out"
        )
    if training.white is None:
        raise UsageError(
            f"data {settings.data!r}: a pipeline's run takes images; use digits or cifar10:FOLDER"
        )
    network = validated_network(problem, plan, settings)
    upscaled_to = input_size(network, training)
    layers = layers_of(network)
    pixels = torch.from_numpy(training.inputs[:1]).float() / training.white
    passed = pixels if upscaled_to is None else upscale(pixels, upscaled_to)
    for index, layer in enumerate(problem.instance.model.layers):
        if layer.name not in layers or layer.name != list(layers)[index]:
            raise UsageError(
                f"/model/layers/{index}/name: {layer.name}: must be layer {index} of the chain; profile the "
                "network anew"
            )
        with torch.no_grad():
            passed = layers[layer.name](passed)
        if passed.nbytes != layer.output_bytes and index + 1 < len(layers):
            raise UsageError(
                f"/model/layers/{index}/output_bytes: {layer.output_bytes}: layer {layer.name} puts out "
                f"{passed.nbytes} bytes a sample; profile the network anew"
            )
    return upscaled_to
