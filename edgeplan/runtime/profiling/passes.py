"""One forward and backward pass of a network with everything accounted to its layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from edgeplan.runtime.profiling.accounting import OperatorAccount, SavedAccount
from edgeplan.runtime.profiling.cutting import LayerSlice
from edgeplan.runtime.profiling.dataflow import Dataflow
from edgeplan.runtime.profiling.gradients import backward, gradients_started, needing_gradient
from edgeplan.runtime.profiling.inputs import InputSpec
from edgeplan.runtime.profiling.tracking import Tracker
from edgeplan.runtime.profiling.trial import Trial


@dataclass(frozen=True)
class PassFigures:
    """What one pass showed for the whole batch, by layer."""

    forward_flops: Counter[str]
    backward_flops: Counter[str]
    saved_bytes: Counter[str]
    output_bytes: Counter[str]
    read_bytes: dict[str, Counter[str]]
    """Bytes that a layer reads, by the layer that made them or ``input``."""


def execution_order(trial: Trial, layers: Sequence[LayerSlice], inputs: Sequence[InputSpec]) -> list[str]:
    """Run forward once and return the layers' names in the order in which they ran, unused ones last."""
    tracker = Tracker(layers[0].name)
    with trial.context(), tracker.watching(trial.module, layers), torch.no_grad():
        trial.module(*(spec.batch(2) for spec in inputs))
    unused = [layer.name for layer in layers if layer.name not in tracker.order]
    return tracker.order + unused


def run_pass(
    trial: Trial, layers: Sequence[LayerSlice], inputs: Sequence[InputSpec], batch_size: int, *, frozen: bool
) -> PassFigures:
    """Run forward and backward once.

    Parameters
    ----------
    trial
        The network.
    layers
        How it is cut, in the order in which the layers run.
    inputs
        One sample; floats are made to need a gradient.
    batch_size
        Number of samples.
    frozen
        Whether every layer is frozen, behind a trained one, or every layer is trained.
    """
    tracker = Tracker(layers[0].name)
    saved = SavedAccount(tracker, trial.module)
    trial.freeze(frozen=frozen)
    with trial.context(), tracker.watching(trial.module, layers), gradients_started(trial.module, layers):
        batch = [needing_gradient(spec.batch(batch_size)) for spec in inputs]
        with OperatorAccount(tracker, Dataflow(batch)) as account:
            with saved.hooks():
                outputs = trial.module(*batch)
            tracker.is_forward = False
            account.dataflow.finish(outputs)
            backward(outputs)
    trial.module.zero_grad()
    return PassFigures(
        account.forward_flops,
        account.backward_flops,
        saved.bytes(),
        account.dataflow.output_bytes(),
        account.dataflow.read_bytes(),
    )
