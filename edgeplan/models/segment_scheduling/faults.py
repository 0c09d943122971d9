"""The rules of an instance that look across its members, on the raw document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edgeplan.models.document import NOTE_PREFIX
from edgeplan.models.faults import Fault, Path
from edgeplan.models.model import model_faults
from edgeplan.models.raw import items_at, member, number_at, object_at, repeated_values, string_at
from edgeplan.models.segment_scheduling.instance import NOISE

_MEMBERS_OF_KIND = {"rayleigh": ("seed", "d2d_gain", "uplink_gain"), "trace": ("d2d", "uplink")}
_ONLY_OF_KIND = {"rayleigh": (*_MEMBERS_OF_KIND["rayleigh"], "floor"), "trace": _MEMBERS_OF_KIND["trace"]}


def instance_faults(raw: Any) -> Iterator[Fault]:
    """Yield the faults that show only across members of the raw instance document."""
    yield from model_faults(member(raw, "model"), ("model",))
    yield from _id_faults(raw)
    yield from _noise_faults(raw)
    yield from _channel_faults(raw)
    yield from _queue_faults(raw)


def _ids(raw: Any) -> Iterator[tuple[Path, str | None]]:
    """Yield place and value of every id: of each cluster, then of its devices."""
    for n, cluster in enumerate(items_at(raw, "clusters")):
        yield ("clusters", n, "id"), string_at(cluster, "id")
        for i, device in enumerate(items_at(cluster, "devices")):
            yield ("clusters", n, "devices", i, "id"), string_at(device, "id")


def _id_faults(raw: Any) -> Iterator[Fault]:
    places, names = zip(*_ids(raw), strict=True) if items_at(raw, "clusters") else ((), ())
    for index, name in repeated_values(names):
        rule = "id appears earlier; ids of devices and clusters must be unique together"
        yield Fault(places[index], rule, name)
    for place, name in zip(places, names, strict=True):
        if name == NOISE:
            yield Fault(place, "must not be an id, it stands for the noise queue; rename it", name)
        elif name is not None and name.startswith(NOTE_PREFIX):
            rule = "must not begin with x-, gains and queues would take it for a note; rename it"
            yield Fault(place, rule, name)


def _noise_faults(raw: Any) -> Iterator[Fault]:  # (8)
    level, budget = number_at(raw, "control", "noise_level"), number_at(raw, "control", "noise_budget")
    size, most = (number_at(raw, "training", name) for name in ("micro_batch_size", "max_micro_batches"))
    num_clusters = len(items_at(raw, "clusters"))
    if level is None or budget is None or size is None or most is None or min(size, most, num_clusters) < 1:
        return
    try:
        least = level / (size * num_clusters * most)
    except OverflowError:
        return
    if 0 < budget < least:
        rule = f"must be at least {least!r}, the noise with every micro-batch allowed; raise it or allow more"
        yield Fault(("control", "noise_budget"), rule, budget)


def _channel_faults(raw: Any) -> Iterator[Fault]:
    channels = member(raw, "channels")
    kind = string_at(channels, "kind")
    if kind not in _MEMBERS_OF_KIND:
        return
    for name in _MEMBERS_OF_KIND[kind]:
        if name not in channels:
            yield Fault(("channels", name), f"required member is missing with kind {kind}; add it")
        elif channels[name] is None:
            yield Fault(("channels", name), f"must not be null with kind {kind}; give a value", None)
    other = "trace" if kind == "rayleigh" else "rayleigh"
    for name in _ONLY_OF_KIND[other]:
        if name in channels:
            rule = f"does not go with kind {kind}; remove it or use kind {other}"
            yield Fault(("channels", name), rule, channels[name])
    if kind == "trace":
        yield from _trace_faults(raw)


def _trace_faults(raw: Any) -> Iterator[Fault]:
    clusters = [string_at(cluster, "id") for cluster in items_at(raw, "clusters")]
    devices = [
        string_at(device, "id")
        for cluster in items_at(raw, "clusters")
        for device in items_at(cluster, "devices")
    ]
    slots = number_at(raw, "control", "slots")
    for part, ids, what in (("d2d", devices, "device"), ("uplink", clusters, "cluster")):
        traces = object_at(raw, "channels", part)
        if not isinstance(member(raw, "channels", part), dict):
            continue
        for name in dict.fromkeys(ids):
            if name is not None and name not in traces:
                yield Fault(("channels", part, name), f"gains of this {what} are missing; add them")
        for name, gains in traces.items():
            place: Path = ("channels", part, name)
            if name not in ids:
                yield Fault(place, f"must be the id of a {what}; no {what} has this id")
            elif isinstance(gains, list) and slots is not None and len(gains) != slots:
                rule = (
                    f"must have {slots:g} gains, one a slot, and has {len(gains)}; mend it or control.slots"
                )
                yield Fault(place, rule)


def _queue_faults(raw: Any) -> Iterator[Fault]:
    known = {name for _, name in _ids(raw)} | {NOISE}
    for name, value in object_at(raw, "initial_queues").items():
        if name not in known:
            rule = 'must be the id of a device or a cluster, or "noise"; nothing has this id'
            yield Fault(("initial_queues", name), rule, value)
