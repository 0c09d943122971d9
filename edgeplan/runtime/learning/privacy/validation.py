"""Whether a network and shards can be trained with differential privacy, said before any process starts."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from itertools import chain

import torch
from torch import nn

from edgeplan.errors import UsageError
from edgeplan.extras import require
from edgeplan.runtime.learning.privacy.mechanism import Privacy
from edgeplan.runtime.learning.training import Shard

PURPOSE = "edgeplan run --noise"


def load_opacus(privacy: Privacy | None) -> None:
    """Import Opacus where it will be needed, before anything is timed or held to its memory.

    Raises
    ------
    MissingExtraError
        When it is not installed.
    """
    if privacy is not None:
        require("opacus", purpose=PURPOSE)


def check_private(
    privacy: Privacy | None, network: nn.Module, sample: Shard, num_samples: Mapping[str, int]
) -> None:
    """Refuse what has no guarantee.

    Parameters
    ----------
    privacy
        The mechanism; None refuses nothing.
    network
        Of the run.
    sample
        One sample or more, as the network takes them.
    num_samples
        Of each node.

    Raises
    ------
    UsageError
        With the first reason.
    MissingExtraError
        When Opacus is not installed.
    """
    if privacy is None:
        return
    load_opacus(privacy)
    for refusal in chain(_refused_layers(network), _refused_passes(network, sample)):
        raise UsageError(f"noise: {refusal}; use another network, or leave noise out")
    for node, samples in num_samples.items():
        if privacy.delta * samples >= 1.0:
            raise UsageError(
                f"delta {privacy.delta:g}: must be below 1 / {samples}, the samples of {node}, or one of "
                "them may be given away as it is; use a smaller one"
            )


def _refused_layers(network: nn.Module) -> Iterator[str]:
    """Yield layers that Opacus refuses, with the first sentence of its reason."""
    from opacus.validators import ModuleValidator

    for name, layer in network.named_modules():
        validator = ModuleValidator.VALIDATORS.get(type(layer))
        for error in validator(layer) if validator is not None else ():
            yield f"layer {name or 'of the network'} ({type(layer).__name__}): {_first_sentence(error)}"


def _first_sentence(error: Exception) -> str:
    return str(error).partition(". ")[0].removesuffix(".").replace("\n", " ")


def _refused_passes(network: nn.Module, sample: Shard) -> Iterator[str]:
    """Yield what changes as samples pass: by it one sample moves the gradient of another."""
    trial = copy.deepcopy(network).train()
    before = {name: tensor.clone() for name, tensor in trial.state_dict().items()}
    try:
        with torch.no_grad():
            trial(sample.inputs[:1])
    except (RuntimeError, ValueError, TypeError) as error:
        yield f"the network does not train on one sample at a time ({str(error).splitlines()[0]})"
        return
    for name, tensor in trial.state_dict().items():
        if not torch.equal(tensor, before[name]):
            yield f"{name} changes as samples pass, and without noise"
