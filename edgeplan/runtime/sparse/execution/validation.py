"""What a run refuses, each in one line, before any process starts."""

from __future__ import annotations

import math
from collections.abc import Sequence

from edgeplan.errors import UsageError
from edgeplan.models.sparse_update import SparsePlan, SparseUpdate
from edgeplan.runtime.emulation.modes import KERNEL
from edgeplan.runtime.processes.heartbeat import START_UP
from edgeplan.runtime.processes.rehearsal import AGGREGATE, CHECKPOINT, COMPUTE, check_faults
from edgeplan.runtime.sparse.execution.exchange.ways import EMULATED, GLOO
from edgeplan.runtime.sparse.execution.settings import DENSE, NONE, RunSettings
from edgeplan.runtime.sparse.layers import TracedLayer
from edgeplan.runtime.sparse.workload import Workload

FLOAT32_BYTES = 4
DEVICE_PHASES = (START_UP, COMPUTE, AGGREGATE, CHECKPOINT)
_CHOICES = {"collectives": (EMULATED, GLOO), "baseline": (DENSE, NONE)}


def validate(problem: SparseUpdate, plan: SparsePlan, workload: Workload, settings: RunSettings) -> None:
    """Check that the plan can be run.

    Raises
    ------
    UsageError
        With the first rule that is broken.
    """
    _check_settings(settings)
    _check_instance(problem, workload)
    _check_plan(problem, plan)
    names = [device.id for device in problem.instance.devices]
    check_faults(settings.faults, names, DEVICE_PHASES, have_links=settings.emulation == KERNEL)
    _check_layers(problem, workload.layers(problem.instance.training.batch_size))


def _check_settings(settings: RunSettings) -> None:
    least = {"rounds": 1, "local_steps": 1, "score_every": 1, "threads": 1, "seed": 0}
    for name, bound in least.items():
        if getattr(settings, name) < bound:
            raise UsageError(
                f"{name} {getattr(settings, name)}: must be at least {bound}; use a larger value"
            )
    for name in ("timeout_s", "patience_s"):
        value = getattr(settings, name)
        if value is not None and not 0 < value < math.inf:
            raise UsageError(f"{name} {value}: must be above 0 and finite; use such a number")
    for name, known in _CHOICES.items():
        if getattr(settings, name) not in known:
            value = getattr(settings, name)
            raise UsageError(f"{name} {value!r}: must be {' or '.join(known)}; use one of them")


def _check_instance(problem: SparseUpdate, workload: Workload) -> None:
    instance = problem.instance
    if instance.training.gradient_bytes != FLOAT32_BYTES:
        raise UsageError(
            f"/training/gradient_bytes: {instance.training.gradient_bytes:g}: must be 4 for a run, where "
            "parameters travel as float32; plan with 4"
        )
    if len(instance.devices) != workload.settings.num_devices:
        raise UsageError(
            f"/x-workload/num_devices: {workload.settings.num_devices}: must be the number of devices, "
            f"{len(instance.devices)}; correct one of them"
        )


def _check_plan(problem: SparseUpdate, plan: SparsePlan) -> None:
    violations = problem.check(plan).violations
    if violations:
        more = f" (and {len(violations) - 1} more)" if len(violations) > 1 else ""
        first = violations[0]
        raise UsageError(f"{first.pointer}: {first.message}{more}; run a plan without violations")


def _check_layers(problem: SparseUpdate, traced: Sequence[TracedLayer]) -> None:
    """A ratio stands for as many parameters in the instance as in the network, or bytes come out wrong."""
    layers = problem.instance.layers
    for index, (layer, found) in enumerate(zip(layers, traced, strict=False)):
        if layer.name != found.name:
            raise UsageError(
                f"/layers/{index}/name: {layer.name}: the network has {found.name} here; make the instance "
                "anew"
            )
        figures = {
            "bias_parameters": (layer.bias_parameters, found.bias_parameters),
            **{
                f"options/{k}/parameters": (option.parameters, found.parameters(option.ratio))
                for k, option in enumerate(layer.options)
            },
        }
        for place, (told, there) in figures.items():
            if told != there:
                raise UsageError(
                    f"/layers/{index}/{place}: {told}: the network has {there}; make the instance anew"
                )
    if len(layers) != len(traced):
        raise UsageError(
            f"/layers: {len(layers)} layers: the network has {len(traced)}; make the instance anew"
        )
