"""What a run refuses, each in one line, before any process starts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgeplan.errors import InvalidInputError, UsageError
from edgeplan.models.faults import Fault, in_document_order
from edgeplan.models.federated import StatedSchedule
from edgeplan.runtime.emulation.modes import KERNEL
from edgeplan.runtime.federated.settings import RunSettings
from edgeplan.runtime.learning.privacy.mechanism import check_privacy
from edgeplan.runtime.processes.heartbeat import START_UP
from edgeplan.runtime.processes.rehearsal import (
    AGGREGATE,
    CHECKPOINT,
    COMPUTE,
    RECEIVE,
    SEND,
    check_faults,
)

CLIENT_PHASES = (START_UP, RECEIVE, COMPUTE, SEND)
SERVER_PHASES = (START_UP, SEND, RECEIVE, AGGREGATE, CHECKPOINT)


def check_settings(settings: RunSettings) -> None:
    """Refuse settings that are out of range.

    Raises
    ------
    UsageError
        With the first of them.
    """
    if settings.threads < 1:
        raise UsageError(f"threads {settings.threads}: must be at least 1; use a larger value")
    for name in ("alpha", "learning_rate", "slower", "patience_s", "timeout_s"):
        value = getattr(settings, name)
        if value is not None and not value > 0:
            raise UsageError(f"{name} {value}: must be above 0; use a larger value")
    check_privacy(settings)


def check_rehearsal(stated: StatedSchedule, settings: RunSettings) -> None:
    """Refuse faults that could never strike.

    Raises
    ------
    UsageError
        With the first of them.
    """
    everybody = (*stated.clients, stated.server)
    for fault in settings.faults:
        phases = SERVER_PHASES if fault.node == stated.server else CLIENT_PHASES
        check_faults([fault], everybody, phases, have_links=settings.emulation == KERNEL)


def check_batches(stated: StatedSchedule, samples: Sequence[int]) -> None:
    """Refuse batches that are larger than the shards.

    Parameters
    ----------
    samples
        Of each client.

    Raises
    ------
    InvalidInputError
        With all of them.
    """
    faults = list(_batch_faults(stated, dict(zip(stated.clients, samples, strict=True))))
    if faults:
        raise InvalidInputError(in_document_order(faults))


def _batch_faults(stated: StatedSchedule, samples: dict[str, int]) -> Iterator[Fault]:
    for index, entry in enumerate(stated.schedule.rounds):
        for position, client in enumerate(entry.clients):
            batch_size, have = stated.batch_size(client), samples[client.node]
            if batch_size > have:
                rule = f"must be at most {have}, the samples of {client.node}; use a smaller one"
                path = ("rounds", index, "clients", position, "batch_size")
                yield Fault(path, rule, batch_size)
