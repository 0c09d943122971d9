"""Whether network, training section and data go together, said before any process starts."""

from __future__ import annotations

import torch
from torch import nn

from edgeplan.errors import UsageError
from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.runtime.data.images import CIFAR_SHAPE
from edgeplan.runtime.data.samples import Samples
from edgeplan.runtime.learning.training import upscale
from edgeplan.runtime.learning.workload import OPTIMIZER_NAME, Workload

FLOAT32_BYTES = 4


def network_of(problem: LayerAssignment, name: str | None, seed: int) -> nn.Module:
    """Build the network, and see that it is the one of the model section.

    Parameters
    ----------
    name
        Of the network; None is the model's.

    Raises
    ------
    UsageError
        When it is not.
    """
    names = [layer.name for layer in problem.instance.model.layers]
    workload = Workload.seeded(name or problem.instance.model.name, seed, names)
    _check_parameters(problem, workload)
    return workload.module


def check_training(problem: LayerAssignment) -> None:
    """Refuse a training section that is not run.

    Raises
    ------
    UsageError
        With the first rule that is broken.
    """
    training = problem.instance.training
    if training.weight_bytes != FLOAT32_BYTES:
        raise UsageError(
            f"/training/weight_bytes: {training.weight_bytes:g}: must be 4 for a run, parameters travel as "
            "float32; plan with 4"
        )
    if training.optimizer_bytes not in OPTIMIZER_NAME:
        known = ", ".join(f"{size} ({name})" for size, name in OPTIMIZER_NAME.items())
        raise UsageError(
            f"/training/optimizer_bytes: {training.optimizer_bytes:g}: must be one of {known} for a run"
        )


def input_size(module: nn.Module, samples: Samples) -> tuple[int, ...] | None:
    """Find out which size of images the network takes, by trying; text is taken as it is.

    Returns
    -------
    tuple[int, ...] | None
        Channels, height and width that images are brought to; None when they fit as they are.

    Raises
    ------
    UsageError
        When it takes neither the images nor their enlargement to 3x32x32, or not the text, or knows fewer
        labels than the data has.
    """
    num_labels = int(samples.targets.max()) + 1
    if samples.white is None:
        _check_text(module, samples, num_labels)
        return None
    pixels = torch.from_numpy(samples.inputs[:1]).float()
    sizes = [None] if pixels.shape[1:] == CIFAR_SHAPE else [None, CIFAR_SHAPE]
    reasons = []
    for size in sizes:
        tried = pixels if size is None else upscale(pixels, size)
        reason = _refusal(module, tried, num_labels)
        if reason is None:
            return size
        reasons.append(f"{'x'.join(map(str, tried.shape[1:]))}: {reason}")
    raise UsageError(f"the network does not take these images ({'; '.join(reasons)}); choose other data")


def _check_parameters(problem: LayerAssignment, workload: Workload) -> None:
    for index, layer in enumerate(problem.instance.model.layers):
        there = sum(parameter.numel() for parameter in workload.layers[layer.name])
        if there != layer.parameters:
            raise UsageError(
                f"/model/layers/{index}/parameters: {layer.parameters}: layer {layer.name} of the network "
                f"has {there} parameters; profile the network anew"
            )
    _check_dtype(workload)


def _check_dtype(workload: Workload) -> None:
    for name, parameter in workload.module.named_parameters():
        if parameter.dtype != torch.float32:
            raise UsageError(f"parameter {name} is {parameter.dtype}; a run needs a float32 network")


def _check_text(module: nn.Module, samples: Samples, num_labels: int) -> None:
    codes = torch.from_numpy(samples.inputs[:1]).long()
    reason = _refusal(module, codes, num_labels, places=codes.shape[1:])
    if reason is not None:
        raise UsageError(f"the network does not take these characters ({reason}); choose other data")


def _refusal(
    module: nn.Module, inputs: torch.Tensor, num_labels: int, places: tuple[int, ...] = ()
) -> str | None:
    """Say why the network cannot score the labels of a sample, or of each of its places; None when it can."""
    module.eval()
    try:
        with torch.no_grad():
            scores = module(inputs)
    except (RuntimeError, ValueError, TypeError) as error:
        return str(error).splitlines()[0]
    needed = (1, *places, num_labels)
    if scores.ndim != len(needed) or scores.shape[:-1] != needed[:-1] or scores.shape[-1] < num_labels:
        return f"the output has shape {tuple(scores.shape)}, {num_labels} labels need {needed}"
    return None
