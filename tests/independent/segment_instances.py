"""Small random instances of segment_scheduling near the edges of their limits, and random plans for them."""

from __future__ import annotations

import random
from typing import Any

from independent.segment_evaluator import NOISE, Document, SegmentCase, slot_figures
from independent.segment_structures import Structure, as_cluster, structures


def random_document(
    seed: int, clusters: int, devices: int, blocks: int, max_micro_batches: int, slots: int = 1
) -> Document:
    """Return the instance of this seed; about one in eight fits no memory."""
    rng = random.Random(f"edgeplan segments {seed}")
    document: Document = {
        "format": "edgeplan/1",
        "problem": "segment_scheduling",
        "name": f"random {seed}",
        "model": {"name": "random", "layers": _layers(rng, blocks)},
        "clusters": [_cluster(rng, index, devices) for index in range(clusters)],
        "uplink_bandwidth_hz": _around(rng, 2e7, 2.0),
        "noise_w_per_hz": 3.98e-21,
        "training": _training(rng, max_micro_batches),
        "control": {"tradeoff": rng.choice([0.1, 1.0, 10.0, 100.0]), "slots": slots},
        "channels": {},
    }
    control = document["control"]
    control["noise_level"] = _around(rng, 1.0, 3.0)
    least = control["noise_level"] / (document["training"]["micro_batch_size"] * clusters * max_micro_batches)
    control["noise_budget"] = least * rng.uniform(1.01, 4.0)
    _add_channels(rng, document)
    _add_memory(rng, document)
    _add_budgets(rng, document)
    _add_queues(rng, document)
    return document


def _chance(rng: random.Random, probability: float) -> bool:
    return rng.random() < probability


def _around(rng: random.Random, middle: float, factor: float) -> float:
    """Return a number between middle / factor and middle * factor, even in its logarithm."""
    return middle * factor ** rng.uniform(-1, 1)


def _layers(rng: random.Random, blocks: int) -> list[Document]:
    equal, silent, no_parameters = _chance(rng, 0.3), _chance(rng, 0.15), _chance(rng, 0.1)
    size = {
        "parameters": _around(rng, 3e5, 10.0),
        "flops": _around(rng, 3e9, 3.0),
        "output_bytes": _around(rng, 3e5, 10.0),
        "saved_bytes": _around(rng, 2e6, 5.0),
    }

    def amount(name: str, zero: float) -> int:
        return 0 if _chance(rng, zero) else round(size[name] if equal else _around(rng, size[name], 3.0))

    return [
        {
            "name": f"encoder.{index}",
            "parameters": 0 if no_parameters else amount("parameters", 0.05),
            "forward_flops": amount("flops", 0.02),
            "input_gradient_flops": amount("flops", 0.02),
            "weight_gradient_flops": amount("flops", 0.05),
            "output_bytes": amount("output_bytes", 0.5 if silent else 0.03),
            "saved_bytes": amount("saved_bytes", 0.05),
            "saved_frozen_bytes": rng.randint(0, 10**6),
        }
        for index in range(blocks)
    ]


def _cluster(rng: random.Random, index: int, devices: int) -> Document:
    return {
        "id": f"c{index}",
        "d2d_bandwidth_hz": _around(rng, 1e7, 5.0),
        "node_order": rng.choice(["free", "free", "given"]),
        "uplink_max_power_w": _around(rng, 0.5, 3.0),
        "uplink_energy_budget_j": 1.0,
        "embedding_s": rng.choice([0.0, rng.uniform(0, 0.1)]),
        "decoder_s": rng.choice([0.0, rng.uniform(0, 0.1)]),
        "devices": [_device(rng, f"phone-{index}-{number}") for number in range(devices)],
    }


def _device(rng: random.Random, name: str) -> Document:
    return {
        "id": name,
        "flops_per_s": _around(rng, 2e11, 4.0),
        "memory_bytes": 2**40,
        "overhead_s": rng.choice([0.0, rng.uniform(0, 0.02)]),
        "compute_power_w": 0.0 if _chance(rng, 0.15) else _around(rng, 4.0, 2.0),
        "max_power_w": _around(rng, 0.2, 4.0),
        "energy_budget_j": 1.0,
    }


def _training(rng: random.Random, max_micro_batches: int) -> Document:
    return {
        "micro_batch_size": rng.choice([1, 2, 4]),
        "max_micro_batches": max_micro_batches,
        "weight_bytes": rng.choice([2, 4, 4]),
        "gradient_bytes": 4,
        "optimizer_bytes": rng.choice([0, 8]),
        "in_flight": rng.choice(["1f1b", "gpipe"]),
    }


def _add_channels(rng: random.Random, document: Document) -> None:
    d2d, uplink = _around(rng, 1e-10, 30.0), _around(rng, 1e-10, 10.0)
    if _chance(rng, 0.5):
        channels: Document = {"kind": "rayleigh", "seed": rng.randint(0, 10**6)}
        channels |= {"d2d_gain": d2d, "uplink_gain": uplink}
        if _chance(rng, 0.7):
            channels["floor"] = rng.choice([0.05, 0.3])
        document["channels"] = channels
        return
    slots = range(document["control"]["slots"])
    phones = [device["id"] for cluster in document["clusters"] for device in cluster["devices"]]
    document["channels"] = {
        "kind": "trace",
        "d2d": {phone: [_around(rng, d2d, 10.0) for _ in slots] for phone in phones},
        "uplink": {unit["id"]: [_around(rng, uplink, 5.0) for _ in slots] for unit in document["clusters"]},
    }


def _add_memory(rng: random.Random, document: Document) -> None:
    """Give most devices what some run needs at some place, to the byte, give or take one."""
    case = SegmentCase(document)
    count, most = len(case.layers), case.training["max_micro_batches"]
    runs = [range(a, b) for a in range(count) for b in range(a + 1, count + 1)]
    if _chance(rng, 0.7):
        for device in case.devices.values():
            if _chance(rng, 0.7):
                need = case.memory(rng.choice(runs), rng.randint(1, count), rng.randint(1, most))
                device["memory_bytes"] = max(1, need + rng.choice([0, 0, 0, -1, need // 3]))
    infeasible = rng.choice(case.clusters) if _chance(rng, 0.14) else None
    for cluster in case.clusters:
        while not any(True for _ in structures(case, cluster)):
            _scale_memory(cluster, 1.5)
        while cluster is infeasible and _anything_fits(case, cluster):
            _scale_memory(cluster, 0.8)


def _anything_fits(case: SegmentCase, cluster: Document) -> bool:
    """Give up on blocks that need no memory, where a byte is enough."""
    large = any(device["memory_bytes"] > 1 for device in cluster["devices"])
    return large and any(True for _ in structures(case, cluster))


def _scale_memory(cluster: Document, factor: float) -> None:
    for device in cluster["devices"]:
        device["memory_bytes"] = max(1, int(device["memory_bytes"] * factor) + (factor > 1))


def _add_budgets(rng: random.Random, document: Document) -> None:
    """Measure a random plan of the first slot, with memory aside, and give more or less than it takes."""
    case = SegmentCase(document)
    tight, spread = _around(rng, 0.5, 4.0), rng.choice([1.0, 2.0, 5.0])
    for cluster in case.clusters:
        ids = [device["id"] for device in cluster["devices"]]
        device = rng.choice(ids)
        every = Structure(
            (device,), (range(len(case.layers)),), max(1, case.training["max_micro_batches"] // 2)
        )
        spent = slot_figures(case, 0, [_with_random_links(rng, case, cluster, every)], case.first_queues())
        compute, uplink = spent["energy_j"][device], spent["energy_j"][cluster["id"]]
        for name in ids:
            case.devices[name]["energy_budget_j"] = max(1e-3, _around(rng, compute * tight, spread))
        cluster["uplink_energy_budget_j"] = max(1e-3, _around(rng, uplink * tight, spread))


def _add_queues(rng: random.Random, document: Document) -> None:
    """Start at no, some or all queues; a queue is a few budgets, or many at a large V."""
    if _chance(rng, 0.15):
        return
    case = SegmentCase(document)
    share, size = (
        rng.choice([0.4, 0.8, 1.0]),
        max(1.0, case.control["tradeoff"]) * rng.choice([0.1, 0.5, 2.0]),
    )
    queues = {
        key: budget * _around(rng, size, 4.0) * (10 if key == NOISE else 1)
        for key, budget in case.budgets.items()
        if _chance(rng, share)
    }
    document["initial_queues"] = {key: 0.0 if _chance(rng, 0.05) else queue for key, queue in queues.items()}


def _with_random_links(
    rng: random.Random, case: SegmentCase, cluster: Document, structure: Structure
) -> Document:
    """Divide the bands at random, with part of them unused; a hop without bits gets none."""
    ends = [run[-1] for run in structure.runs]
    bits = [case.bits(end) for end in ends]
    bits[-1] += case.parameter_bits()
    caps = [case.devices[device]["max_power_w"] for device in structure.devices[:-1]]
    caps.append(cluster["uplink_max_power_w"])
    shares = [rng.uniform(0.1, 1) for _ in ends]
    bands = [cluster["d2d_bandwidth_hz"] * share / sum(shares) for share in shares[:-1]]
    bands.append(case.document["uplink_bandwidth_hz"] * shares[-1] / len(case.clusters))
    links = [
        (band, cap * rng.uniform(0.05, 1)) if flow else (0.0, 0.0)
        for flow, band, cap in zip(bits, bands, caps, strict=True)
    ]
    return as_cluster(case, cluster["id"], structure, links)


def random_plan(seed: int, document: Document) -> Document | None:
    """Return a plan that keeps every rule; None for an infeasible instance."""
    rng = random.Random(f"edgeplan segment plan {seed}")
    case = SegmentCase(document)
    choices = [list(structures(case, cluster)) for cluster in case.clusters]
    if not all(choices):
        return None
    slots: list[dict[str, Any]] = [
        {
            "clusters": [
                _with_random_links(rng, case, cluster, rng.choice(some))
                for cluster, some in zip(case.clusters, choices, strict=True)
            ]
        }
        for _ in range(case.control["slots"])
    ]
    return {"slots": slots}
