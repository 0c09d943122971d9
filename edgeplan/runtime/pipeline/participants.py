"""Who takes part in a run: of every cluster its control unit, its active devices, and the server's side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgeplan.models.segment_scheduling import SegmentSchedulingInstance, SlotPlan

CONTROL, DEVICE, SERVER = "control unit", "device", "server"


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


def participants(instance: SegmentSchedulingInstance, slots: Sequence[SlotPlan]) -> tuple[Participant, ...]:
    """Return all that do anything in some slots; a participant's place is its rank.

    Examples
    --------
    >>> from edgeplan.models.segment_scheduling.examples import two_blocks_two_phones
    >>> stages = [{"device": "slow", "layers": ["encoder.0", "encoder.1"]}]
    >>> slot = SlotPlan.model_validate({"clusters": [{"id": "home", "micro_batches": 1, "stages": stages}]})
    >>> [one.name for one in participants(two_blocks_two_phones().instance, [slot])]
    ['home', 'slow', 'server of home']
    """
    active = {stage.device for slot in slots for entry in slot.clusters for stage in entry.stages}
    found: list[Participant] = []
    for index, cluster in enumerate(instance.clusters):
        found.append(Participant(CONTROL, index, cluster.id))
        devices = (device.id for device in cluster.devices if device.id in active)
        found += [Participant(DEVICE, index, name) for name in devices]
        found.append(Participant(SERVER, index, f"server of {cluster.id}"))
    return tuple(found)
