"""Channel gains of every slot: a trace, or Rayleigh fading drawn from a seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from edgeplan.models.segment_scheduling.instance import SegmentSchedulingInstance

_SLOTS_AT_A_TIME = 4096


@dataclass(frozen=True, slots=True)
class Gains:
    """Gains of one slot.

    Parameters
    ----------
    d2d
        Gain from each device, by its id, to whatever device it sends to; above 0.
    uplink
        Gain from each cluster's control unit to the server, by the cluster's id; above 0.
    """

    d2d: Mapping[str, float]
    uplink: Mapping[str, float]


def slot_gains(instance: SegmentSchedulingInstance) -> Iterator[Gains]:
    """Yield the gains slot by slot.

    Rayleigh: ``mean * max(floor, -log1p(-u))`` with u from PCG64 in an array of shape (slots, K), its
    columns the devices in document order, then the clusters.
    """
    devices = [device.id for cluster in instance.clusters for device in cluster.devices]
    clusters = [cluster.id for cluster in instance.clusters]
    channels = instance.channels
    if channels.kind == "trace":
        d2d, uplink = channels.d2d or {}, channels.uplink or {}
        for t in range(instance.control.slots):
            yield Gains(
                {name: d2d[name][t] for name in devices}, {name: uplink[name][t] for name in clusters}
            )
        return
    assert channels.d2d_gain is not None
    assert channels.uplink_gain is not None
    for fading in _fading(instance, len(devices) + len(clusters)):
        yield Gains(
            {name: channels.d2d_gain * factor for name, factor in zip(devices, fading, strict=False)},
            {
                name: channels.uplink_gain * factor
                for name, factor in zip(clusters, fading[len(devices) :], strict=True)
            },
        )


def _fading(instance: SegmentSchedulingInstance, num_links: int) -> Iterator[list[float]]:
    """Yield the factors of every slot; a block of rows at a time draws what the whole array would."""
    import numpy as np

    channels, slots = instance.channels, instance.control.slots
    generator = np.random.Generator(np.random.PCG64(channels.seed))
    for first in range(0, slots, _SLOTS_AT_A_TIME):
        drawn = generator.random((min(_SLOTS_AT_A_TIME, slots - first), num_links))
        yield from np.maximum(channels.floor, -np.log1p(-drawn)).tolist()
