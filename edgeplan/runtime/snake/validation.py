"""What a run refuses, each in one line, before any process starts."""

from __future__ import annotations

import math

from torch import nn

from edgeplan.errors import UsageError
from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.runtime.emulation.modes import KERNEL
from edgeplan.runtime.learning.privacy.mechanism import check_privacy
from edgeplan.runtime.learning.validation import check_training, network_of
from edgeplan.runtime.processes.heartbeat import START_UP
from edgeplan.runtime.processes.rehearsal import CHECKPOINT, COMPUTE, RECEIVE, SEND, check_faults
from edgeplan.runtime.snake.device.schedule import SCHEDULES
from edgeplan.runtime.snake.settings import RunSettings

BASELINES = ("none", "fedavg")
SERIAL_PHASES = (START_UP, RECEIVE, COMPUTE, CHECKPOINT, SEND)


def validated(problem: LayerAssignment, plan: Plan, settings: RunSettings) -> nn.Module:
    """Check that a plan of the serial schedule can be run, and return the network.

    Raises
    ------
    UsageError
        With the first rule that is broken.
    """
    if problem.instance.schedule != "serial":
        raise UsageError('/schedule: "pipeline": must be serial here; run it by edgeplan.runtime.pipeline')
    return validated_network(problem, plan, settings)


def validated_network(problem: LayerAssignment, plan: Plan, settings: RunSettings) -> nn.Module:
    """Check what either schedule needs, and return the network.

    Raises
    ------
    UsageError
        With the first rule that is broken.
    """
    _check_settings(settings)
    check_training(problem)
    _check_plan(problem, plan)
    nodes = [node for node in (*(stage.node for stage in plan.stages), problem.server) if node is not None]
    check_faults(settings.faults, nodes, SERIAL_PHASES, have_links=settings.emulation == KERNEL)
    return network_of(problem, settings.network, settings.seed)


def _check_settings(settings: RunSettings) -> None:
    at_least_one = ("rounds", "threads")
    for name in at_least_one:
        if getattr(settings, name) < 1:
            raise UsageError(f"{name} {getattr(settings, name)}: must be at least 1; use a larger value")
    if settings.spares < 0:
        raise UsageError(f"spares {settings.spares}: must be at least 0; use a larger value")
    for name in ("alpha", "learning_rate", "temperature", "timeout_s", "patience_s"):
        value = getattr(settings, name)
        if value is not None and not 0.0 < value < math.inf:
            raise UsageError(f"{name} {value}: must be above 0 and finite; use another value")
    for name in ("distill", "distill_above"):
        value = getattr(settings, name)
        if not 0.0 <= value < math.inf:
            raise UsageError(f"{name} {value}: must be finite and at least 0; use 0 or more")
    for name, known in (("baseline", BASELINES), ("schedule", SCHEDULES)):
        value = getattr(settings, name)
        if value not in known:
            raise UsageError(f"{name} {value!r}: must be {' or '.join(known)}; use one of them")
    check_privacy(settings)
    if settings.privacy is not None and settings.baseline != "none":
        raise UsageError(
            f"baseline {settings.baseline!r}: would train on the same samples once more, without noise; run "
            "a schedule of federated averaging by itself, or leave noise out"
        )


def _check_plan(problem: LayerAssignment, plan: Plan) -> None:
    violations = problem.check(plan).violations
    if violations:
        more = f" (and {len(violations) - 1} more)" if len(violations) > 1 else ""
        first = violations[0]
        raise UsageError(f"{first.pointer}: {first.message}{more}; run a plan without violations")
