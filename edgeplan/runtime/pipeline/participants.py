"""Who takes part in a run: of every cluster its control unit, its active devices, and the server's side."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from edgeplan.models.segment_scheduling import SegmentSchedulingInstance, SlotPlan
from edgeplan.runtime.processes.heartbeat import START_UP
from edgeplan.runtime.processes.rehearsal import AGGREGATE, CHECKPOINT, COMPUTE, RECEIVE, SEND

CONTROL, DEVICE, SERVER = "control unit", "device", "server"
PHASES = {
    CONTROL: (START_UP, COMPUTE, SEND, AGGREGATE, CHECKPOINT),
    DEVICE: (START_UP, RECEIVE, COMPUTE, SEND, CHECKPOINT),
    SERVER: (START_UP, COMPUTE, RECEIVE, AGGREGATE, CHECKPOINT),
}
"""What each role does in a slot, after the start-up."""


@dataclass(frozen=True)
class Participant:
    """Whom one process stands for.

    Parameters
    ----------
    role
        ``control unit``, with the embedding; ``device``; or ``server``, the decoder for one cluster.
    cluster
        Index of the cluster.
    name
        Unique: the device's id, the cluster's for its control unit, the cluster's after ``server of``.
    """

    role: str
    cluster: int
    name: str


def everybody(instance: SegmentSchedulingInstance) -> tuple[Participant, ...]:
    """Return all that might do something; a participant's place is its seat, whoever else is there."""
    found: list[Participant] = []
    for index, cluster in enumerate(instance.clusters):
        found.append(Participant(CONTROL, index, cluster.id))
        found += [Participant(DEVICE, index, device.id) for device in cluster.devices]
        found.append(Participant(SERVER, index, f"server of {cluster.id}"))
    return tuple(found)


def participants(
    instance: SegmentSchedulingInstance, slots: Sequence[SlotPlan], away: Collection[str] = ()
) -> tuple[Participant, ...]:
    """Return all that do anything in some slots; a participant's place is its rank.

    Parameters
    ----------
    instance
        With everybody.
    slots
        What is done.
    away
        Ids of devices and clusters that are gone; a cluster's server goes with it.

    Examples
    --------
    >>> from edgeplan.models.segment_scheduling.examples import two_blocks_two_phones
    >>> stages = [{"device": "slow", "layers": ["encoder.0", "encoder.1"]}]
    >>> slot = SlotPlan.model_validate({"clusters": [{"id": "home", "micro_batches": 1, "stages": stages}]})
    >>> [one.name for one in participants(two_blocks_two_phones().instance, [slot])]
    ['home', 'slow', 'server of home']
    """
    active = {stage.device for slot in slots for entry in slot.clusters for stage in entry.stages}
    return tuple(
        one
        for one in everybody(instance)
        if instance.clusters[one.cluster].id not in away
        and (one.role != DEVICE or (one.name in active and one.name not in away))
    )
