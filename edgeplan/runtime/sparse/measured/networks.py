"""Instances of a workload's network, and of a network of the user's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch

from edgeplan.errors import UsageError
from edgeplan.runtime.profiling.inputs import InputOptions
from edgeplan.runtime.profiling.subject import find_subject
from edgeplan.runtime.sparse.layers import TracedLayer
from edgeplan.runtime.sparse.measured.contribution_file import read_contributions
from edgeplan.runtime.sparse.measured.contributions import Contributions, probed
from edgeplan.runtime.sparse.measured.document import Cluster, Offer, build
from edgeplan.runtime.sparse.measured.gains import gained
from edgeplan.runtime.sparse.tracing import traced_layers
from edgeplan.runtime.sparse.workload.note import notes_of
from edgeplan.runtime.sparse.workload.workload import Workload

PROBE, GAIN = "probe", "gain"

Progress = Callable[[int, int], None]
Watch = Callable[[str], AbstractContextManager[Progress | None]]
"""Shows how far something with a title is."""


def of_workload(
    workload: Workload, cluster: Cluster, offer: Offer, contribution: str, watch: Watch
) -> dict[str, Any]:
    """Measure the instance of a workload, with its settings in the notes.

    Parameters
    ----------
    workload
        Network and images.
    cluster
        The devices.
    offer
        What they may train.
    contribution
        ``probe``, ``gain`` or the path of a CSV file.
    watch
        Shows progress.

    Raises
    ------
    UsageError
        When the start cannot be kept, the file does not fit, or a device is too small.
    """
    settings, layers = workload.settings, workload.layers(offer.batch_size)
    contributions = _contributions(workload, layers, offer.ratios, contribution, watch)
    _prepare(workload, watch)
    size = f"{settings.image_size}x{settings.image_size}"
    name = f"{settings.model} (width {settings.width:g}, {size})"
    return build(
        workload.start(),
        layers,
        workload.example(offer.batch_size),
        contributions,
        cluster,
        offer,
        name=_title(name, cluster, settings.seed),
        notes=notes_of(workload),
    )


def _contributions(
    workload: Workload,
    layers: Sequence[TracedLayer],
    ratios: Sequence[float],
    contribution: str,
    watch: Watch,
) -> Contributions:
    if contribution not in (PROBE, GAIN):
        return read_contributions(Path(contribution), layers, ratios)
    _prepare(workload, watch)
    if contribution == PROBE:
        return probed(workload.importance(), layers, ratios).scaled()
    with watch("training each layer alone") as show:
        return gained(workload, layers, ratios, on_progress=show).scaled()


def _prepare(workload: Workload, watch: Watch) -> None:
    with watch("training the start") as show:
        workload.prepare(show)


def of_module(
    place: str, input_shape: str | None, cluster: Cluster, offer: Offer, contribution: str, seed: int
) -> dict[str, Any]:
    """Measure the instance of a network of the user's own.

    Parameters
    ----------
    place
        ``package.module:factory``.
    input_shape
        Of a sample, such as ``3,32,32``.
    cluster
        The devices.
    offer
        What they may train.
    contribution
        Path of a CSV file.
    seed
        Of the network's weights, which change nothing here.

    Raises
    ------
    UsageError
        When there is no such network, it cannot be pruned, the file does not fit, or a device is too small.
    """
    subject = find_subject(place, InputOptions(None if input_shape is None else [input_shape]))
    module = subject.allocate(seed)
    with subject.running():
        (spec,) = subject.inputs
        batch = torch.zeros(offer.batch_size, *spec.shape, dtype=spec.dtype)
        layers = traced_layers(module, batch)
    if not layers:
        raise UsageError(f"{place}: has no nn.Conv2d and no nn.Linear, so nothing to train; name another")
    if contribution in (PROBE, GAIN):
        names = f"{layers[0].name} ... {layers[-1].name}"
        raise UsageError(
            f"contribution {contribution}: must be a CSV file for a network of yours, whose images are "
            f"not known here; write its columns layer, ratio and contribution for the layers {names}"
        )
    contributions = read_contributions(Path(contribution), layers, offer.ratios)
    with subject.running():
        name = _title(subject.name, cluster, seed)
        return build(module, layers, batch, contributions, cluster, offer, name=name)


def _title(name: str, cluster: Cluster, seed: int) -> str:
    return f"{name} on {cluster.num_devices} devices, seed {seed}"
