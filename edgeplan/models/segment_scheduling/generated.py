"""Instances of any size from a seed: devices at hand, memory for parts, budgets of which several bind.

A cluster is a mix of phones, boards and laptops; the planning values of each kind stand in the table below.
Memory is drawn as a share of what training all blocks alone takes, and raised until the blocks fit the
devices in document order. The noise budget asks for about 0.6 of the most micro-batches in the mean; the
energy budgets pay for 0.55 to 0.95 of them where blocks are split evenly. So as a rule they can be kept
together, if not by the plan that is fastest; with few devices, memory or fading may not allow it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from edgeplan.models.segment_scheduling.instance import Cluster, SegmentSchedulingInstance
from edgeplan.models.segment_scheduling.link import rate_bit_per_s
from edgeplan.models.segment_scheduling.segments import Segments

Document = dict[str, Any]
Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Kind:
    """Planning values of a kind of device: how often it occurs, and ranges of its figures.

    `memory_share` is relative to the memory of all blocks.
    """

    weight: float
    flops_per_s: Range
    memory_share: Range
    compute_power_w: Range
    max_power_w: Range
    overhead_s: Range


KINDS = {
    "phone": Kind(0.6, (1e11, 4e11), (0.3, 0.8), (3.0, 6.0), (0.1, 0.25), (0.002, 0.006)),
    "board": Kind(0.25, (5e10, 3e11), (0.4, 1.0), (6.0, 15.0), (0.2, 0.5), (0.001, 0.004)),
    "laptop": Kind(0.15, (4e11, 1e12), (0.5, 1.3), (20.0, 45.0), (0.2, 0.5), (0.001, 0.003)),
}
D2D_BANDWIDTH_HZ, D2D_GAIN = 2e7, 1e-9  # a Wi-Fi channel over some tens of metres
UPLINK_BANDWIDTH_HZ, MOST_UPLINK_HZ, UPLINK_GAIN = 3.3e7, 4e8, 1e-10  # a third of a 5G carrier a cluster
NOISE_W_PER_HZ = 3.98e-21  # -174 dBm/Hz
TRADEOFF = 0.5  # averages then keep their budgets to about a hundredth within 2,000 slots
FADING_FLOOR = 0.05
NOISE_SHARE = 0.625  # micro-batches that the noise budget asks for, of the most
ENERGY_SHARE: Range = (0.55, 0.95)  # micro-batches that an energy budget pays for, of the most
LEAST_PAID = 1.1  # micro-batches: a cluster cannot do less than one
UPLINK_SHARE: Range = (0.4, 1.0)  # of an uplink's energy at full power


@dataclass(frozen=True, slots=True)
class Size:
    """How large an instance is to be; all counts at least 1."""

    num_clusters: int = 3
    num_devices: int = 4
    max_micro_batches: int = 16
    num_slots: int = 200


def generated(model: Document, size: Size, *, seed: int, trace: bool = False) -> Document:
    """Return the instance document of a model section and a size; the same seed gives the same document.

    Parameters
    ----------
    model
        The encoder, block by block.
    size
        Clusters, devices of each, micro-batches and slots.
    seed
        Of every draw; also of the fading.
    trace
        Whether to write the gains of every slot in place of the fading's seed.

    Examples
    --------
    >>> from edgeplan.models.segment_scheduling.encoder import bert_like
    >>> document = generated(bert_like(4), Size(num_clusters=1, num_devices=2), seed=0)
    >>> [device["id"] for device in document["clusters"][0]["devices"]]
    ['phone-0-0', 'phone-0-1']
    """
    rng = random.Random(seed)
    document = {
        "format": "edgeplan/1",
        "problem": "segment_scheduling",
        "name": f"{model['name']}, {size.num_clusters} clusters x {size.num_devices} devices, seed {seed}",
        "model": model,
        "clusters": [_cluster(rng, n, size.num_devices) for n in range(size.num_clusters)],
        "uplink_bandwidth_hz": min(MOST_UPLINK_HZ, UPLINK_BANDWIDTH_HZ * size.num_clusters),
        "noise_w_per_hz": NOISE_W_PER_HZ,
        "training": {
            "micro_batch_size": 4,
            "max_micro_batches": size.max_micro_batches,
            "weight_bytes": 4,
            "gradient_bytes": 4,
            "optimizer_bytes": 8,
            "in_flight": "1f1b",
        },
        "control": {"tradeoff": TRADEOFF, "slots": size.num_slots, "noise_level": 1.0, "noise_budget": 1.0},
        "channels": {
            "kind": "rayleigh",
            "seed": seed,
            "d2d_gain": D2D_GAIN,
            "uplink_gain": UPLINK_GAIN,
            "floor": FADING_FLOOR,
        },
    }
    _set_memory(rng, document)
    _set_budgets(rng, document)
    if trace:
        document["channels"] = _trace(rng, document)
    return document


def _rounded(value: float, digits: int = 3) -> float:
    return float(f"{value:.{digits}g}")


def _drawn(rng: random.Random, limits: Range) -> float:
    return _rounded(rng.uniform(*limits))


def _cluster(rng: random.Random, n: int, num_devices: int) -> Document:
    return {
        "id": f"c{n}",
        "d2d_bandwidth_hz": D2D_BANDWIDTH_HZ,
        "node_order": "free",
        "uplink_max_power_w": 0.5,
        "uplink_energy_budget_j": 1.0,
        "embedding_s": _drawn(rng, (0.001, 0.005)),
        "decoder_s": _drawn(rng, (0.005, 0.02)),
        "devices": [_device(rng, n, i) for i in range(num_devices)],
    }


def _device(rng: random.Random, n: int, i: int) -> Document:
    (name,) = rng.choices(list(KINDS), [kind.weight for kind in KINDS.values()])
    kind = KINDS[name]
    return {
        "id": f"{name}-{n}-{i}",
        "flops_per_s": _drawn(rng, kind.flops_per_s),
        "memory_bytes": 1,
        "overhead_s": _drawn(rng, kind.overhead_s),
        "compute_power_w": _drawn(rng, kind.compute_power_w),
        "max_power_w": _drawn(rng, kind.max_power_w),
        "energy_budget_j": 1.0,
    }


def _set_memory(rng: random.Random, document: Document) -> None:
    """Draw memory, and raise a cluster's until its blocks fit with the micro-batches that are asked for."""
    segments = Segments(SegmentSchedulingInstance.model_validate(document))
    most = document["training"]["max_micro_batches"]
    alone = segments.memory_bytes(0, segments.num_blocks - 1, segments.in_flight(most, 1))
    for cluster in document["clusters"]:
        shares = [rng.uniform(*_kind_of(device).memory_share) for device in cluster["devices"]]
        while True:
            for device, share in zip(cluster["devices"], shares, strict=True):
                device["memory_bytes"] = _whole_mebibytes(share * alone)
            if fits_in_order(segments, Cluster.model_validate(cluster), math.ceil(NOISE_SHARE * most)):
                break
            shares = [1.2 * share for share in shares]


def _kind_of(device: Document) -> Kind:
    return KINDS[device["id"].partition("-")[0]]


def _whole_mebibytes(num_bytes: float) -> int:
    return max(1, round(num_bytes / 2**20)) * 2**20


def fits_in_order(segments: Segments, cluster: Cluster, micro_batches: int) -> bool:
    """Say whether the blocks fit when each device, in document order, takes as many as it can.

    Every device counts as a stage here, so that a stage is never said to hold fewer micro-batches than it
    will; a plan that fits in order may exist even where this one does not.
    """
    first = 0
    for index, device in enumerate(cluster.devices):
        in_flight = segments.in_flight(micro_batches, len(cluster.devices) - index)
        last = first
        while last < segments.num_blocks and (
            segments.memory_bytes(first, last, in_flight) <= device.memory_bytes
        ):
            last += 1
        first = last
    return first == segments.num_blocks


def _set_budgets(rng: random.Random, document: Document) -> None:
    segments = Segments(SegmentSchedulingInstance.model_validate(document))
    instance, control = segments.instance, document["control"]
    most, size = instance.training.max_micro_batches, instance.training.micro_batch_size
    asked = size * len(instance.clusters) * NOISE_SHARE * most
    control["noise_budget"] = control["noise_level"] / asked
    for written, cluster in zip(document["clusters"], instance.clusters, strict=True):
        for device, spent in zip(written["devices"], _spent_evenly(segments, cluster), strict=True):
            paid = max(LEAST_PAID, rng.uniform(*ENERGY_SHARE) * most)
            device["energy_budget_j"] = _rounded(paid * spent)
        spent = _spent_uploading(segments, cluster, NOISE_SHARE * most)
        written["uplink_energy_budget_j"] = _rounded(rng.uniform(*UPLINK_SHARE) * spent)


def _spent_evenly(segments: Segments, cluster: Cluster) -> Iterator[float]:
    """Energy of a micro-batch on each device where blocks and band are split evenly, at the mean gain."""
    num_stages = min(len(cluster.devices), segments.num_blocks)
    flops = math.fsum(segments.block_flops) / num_stages
    band_hz = cluster.d2d_bandwidth_hz / max(1, num_stages - 1)
    for device in cluster.devices:
        rate = rate_bit_per_s(band_hz, device.max_power_w, D2D_GAIN, NOISE_W_PER_HZ)
        computing_j = device.compute_power_w * (device.overhead_s + flops / device.flops_per_s)
        yield computing_j + device.max_power_w * segments.hop_bits(segments.num_blocks // 2) / rate


def _spent_uploading(segments: Segments, cluster: Cluster, micro_batches: float) -> float:
    """Energy of a control unit at full power and an even share of the band, at the mean gain."""
    band_hz = segments.instance.uplink_bandwidth_hz / len(segments.instance.clusters)
    rate = rate_bit_per_s(band_hz, cluster.uplink_max_power_w, UPLINK_GAIN, NOISE_W_PER_HZ)
    bits = micro_batches * segments.hop_bits(segments.num_blocks - 1) + segments.upload_bits
    return cluster.uplink_max_power_w * bits / rate


def _trace(rng: random.Random, document: Document) -> Document:
    devices = [device["id"] for cluster in document["clusters"] for device in cluster["devices"]]
    clusters = [cluster["id"] for cluster in document["clusters"]]
    slots = range(document["control"]["slots"])
    return {
        "kind": "trace",
        "d2d": {name: [_faded(rng, D2D_GAIN) for _ in slots] for name in devices},
        "uplink": {name: [_faded(rng, UPLINK_GAIN) for _ in slots] for name in clusters},
    }


def _faded(rng: random.Random, gain: float) -> float:
    return _rounded(gain * max(FADING_FLOOR, -math.log1p(-rng.random())), 6)
