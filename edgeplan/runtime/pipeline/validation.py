"""What a run refuses, each in one line, before any process starts."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn

from edgeplan.errors import UsageError
from edgeplan.models.segment_scheduling import SegmentPlan, SegmentScheduling
from edgeplan.runtime.emulation.modes import KERNEL
from edgeplan.runtime.learning.workload import OPTIMIZER_NAME
from edgeplan.runtime.networks import CHARACTERS
from edgeplan.runtime.pipeline.participants import PHASES, Participant, participants
from edgeplan.runtime.pipeline.settings import RunSettings
from edgeplan.runtime.pipeline.stages.chain import Chain
from edgeplan.runtime.processes.rehearsal import check_faults
from edgeplan.runtime.profiling import build
from edgeplan.runtime.text import VOCABULARY

FLOAT32_BYTES = 4
MOST_BY_DEFAULT = 3


def validated(problem: SegmentScheduling, plan: SegmentPlan, settings: RunSettings) -> int:
    """Check that the plan can be run, and return how many of its slots are.

    Raises
    ------
    UsageError
        With the first rule that is broken.
    """
    _check_settings(settings)
    _check_training(problem)
    _check_plan(problem, plan)
    num_slots = _num_slots(plan, settings)
    _check_faults(participants(problem.instance, plan.slots[:num_slots]), settings)
    network = _network(problem, settings)
    chain = Chain.of(network, [layer.name for layer in problem.instance.model.layers])
    _check_dtype(network)
    _check_text(network)
    _check_layers(problem, chain)
    return num_slots


def _check_faults(cast: Sequence[Participant], settings: RunSettings) -> None:
    role_of = {one.name: one.role for one in cast}
    for fault in settings.faults:
        phases = PHASES[role_of[fault.node]] if fault.node in role_of else ()
        check_faults([fault], [*role_of], phases, have_links=settings.emulation == KERNEL)


def _check_settings(settings: RunSettings) -> None:
    for name, least in {"rounds": 1, "threads": 1, "seed": 0, "slower": 1.0}.items():
        value = getattr(settings, name)
        if value is not None and not least <= value < math.inf:
            raise UsageError(f"{name} {value}: must be at least {least:g} and finite; use such a number")
    for name in ("learning_rate", "timeout_s", "patience_s"):
        value = getattr(settings, name)
        if value is not None and not 0 < value < math.inf:
            raise UsageError(f"{name} {value}: must be above 0 and finite; use such a number")


def _network(problem: SegmentScheduling, settings: RunSettings) -> nn.Module:
    name = problem.instance.model.name if settings.network is None else settings.network
    try:
        return build(name, seed=settings.seed)
    except UsageError as error:
        place = "/model/name" if settings.network is None else "network"
        raise UsageError(f"{place}: {error.message}") from None


def _num_slots(plan: SegmentPlan, settings: RunSettings) -> int:
    there = len(plan.slots)
    if settings.rounds is None:
        return min(there, MOST_BY_DEFAULT)
    if settings.rounds > there:
        raise UsageError(
            f"rounds {settings.rounds}: must be at most {there}, the slots of the plan; use a smaller number"
        )
    return settings.rounds


def _check_training(problem: SegmentScheduling) -> None:
    training = problem.instance.training
    for name in ("weight_bytes", "gradient_bytes"):
        if getattr(training, name) != FLOAT32_BYTES:
            raise UsageError(
                f"/training/{name}: {getattr(training, name):g}: must be 4 for a run, where parameters and "
                "gradients are float32; plan with 4"
            )
    if training.optimizer_bytes not in OPTIMIZER_NAME:
        known = ", ".join(f"{size} ({name})" for size, name in OPTIMIZER_NAME.items())
        raise UsageError(
            f"/training/optimizer_bytes: {training.optimizer_bytes:g}: must be one of {known} for a run; "
            "plan with one of them"
        )


def _check_plan(problem: SegmentScheduling, plan: SegmentPlan) -> None:
    violations = problem.check(plan).violations
    if violations:
        more = f" (and {len(violations) - 1} more)" if len(violations) > 1 else ""
        first = violations[0]
        raise UsageError(f"{first.pointer}: {first.message}{more}; run a plan without violations")


def _check_dtype(network: nn.Module) -> None:
    for name, parameter in network.named_parameters():
        if parameter.dtype != torch.float32:
            raise UsageError(f"parameter {name} is {parameter.dtype}; a run needs a float32 network")


def _check_text(network: nn.Module) -> None:
    """The text is learnt: codes of characters come in, scores of the next ones go out."""
    wanted = (1, CHARACTERS, VOCABULARY)
    try:
        with torch.no_grad():
            scores = network(torch.zeros(1, CHARACTERS, dtype=torch.int64))
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        found = str(error).splitlines()[0]
    else:
        if tuple(scores.shape) == wanted:
            return
        found = f"the output has shape {tuple(scores.shape)}, not {wanted}"
    raise UsageError(
        f"/model/name: the network does not learn the text, {CHARACTERS} codes of characters a sample "
        f"({found}); name one such as char-transformer"
    )


def _check_layers(problem: SegmentScheduling, chain: Chain) -> None:
    """A block stands for as many parameters and bytes as in the network, or bytes come out wrong."""
    with torch.no_grad():
        hidden = chain.embedding(torch.zeros(1, CHARACTERS, dtype=torch.int64))
        for index, layer in enumerate(problem.instance.model.layers):
            block = chain.blocks[layer.name]
            hidden = block(hidden)
            there = {
                "parameters": sum(parameter.numel() for parameter in block.parameters()),
                "output_bytes": hidden.nbytes,
            }
            for name, value in there.items():
                if getattr(layer, name) != value:
                    raise UsageError(
                        f"/model/layers/{index}/{name}: {getattr(layer, name)}: block {layer.name} of the "
                        f"network has {value}; profile the network anew"
                    )
