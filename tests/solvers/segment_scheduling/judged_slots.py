"""Slots as the solvers see them, and the judges' structures in the solvers' terms."""

from __future__ import annotations

import copy
import itertools
import random
from collections.abc import Iterator

from independent import segment_structures as judged
from independent.segment_evaluator import Document, SegmentCase
from independent.segment_instances import random_document

from edgeplan.models.segment_scheduling import SegmentScheduling
from edgeplan.solvers.segment_scheduling.slot_arrays import InstanceArrays, Prices, SlotArrays, Structure
from edgeplan.solvers.segment_scheduling.together import Noise

SMALL = (2, 3, 4, 4)  # clusters, devices in each, blocks, most micro-batches


def problem_of(document: Document) -> SegmentScheduling:
    return SegmentScheduling.from_document(copy.deepcopy(document))


def slot_of(document: Document) -> SlotArrays:
    """Return the first slot at the queues that the instance begins with."""
    problem = problem_of(document)
    prices = Prices.of_queues(problem, problem.initial_queues)
    return InstanceArrays(problem).slot(prices, next(iter(problem.gains())), None)


def noise_of(slot: SlotArrays) -> Noise:
    """Return what the noise costs, by micro-batches of all clusters."""
    instance = slot.instance.problem.instance
    level = slot.prices.noise * instance.control.noise_level / instance.training.micro_batch_size
    count = len(instance.clusters)
    return Noise(level, count, count * instance.training.max_micro_batches)


def structure_of(cluster: Document, structure: judged.Structure) -> Structure:
    """Write a judge's structure of a cluster by the places of devices and blocks."""
    places = [device["id"] for device in cluster["devices"]]
    devices = tuple(places.index(device) for device in structure.devices)
    return Structure(structure.micro_batches, devices, tuple(run.stop for run in structure.runs))


def every_structure(document: Document, n: int) -> list[Structure]:
    """All structures of a cluster that keep its rules."""
    case = SegmentCase(document)
    cluster = case.clusters[n]
    return [structure_of(cluster, structure) for structure in judged.structures(case, cluster)]


def feasible_documents(*shape: int, first_seed: int = 0) -> Iterator[Document]:
    """Yield random instances that have a plan, without end."""
    for seed in itertools.count(first_seed):
        document = random_document(seed, *shape)
        if is_feasible(document):
            yield document


def is_feasible(document: Document) -> bool:
    case = SegmentCase(document)
    return all(any(True for _ in judged.structures(case, cluster)) for cluster in case.clusters)


def unequal_document(seed: int, devices: int, blocks: int, max_micro_batches: int) -> Document:
    """One cluster in free order whose devices, gains and blocks differ much, with room for some blocks each.

    Hops are about as slow as stages, and structures of the same devices are close to one another.
    """
    rng = random.Random(f"unequal segments {seed}")

    def around(middle: float, factor: float) -> float:
        return middle * factor ** rng.uniform(-1, 1)

    def layer(index: int) -> Document:
        size = around(1.0, 3.0)
        passes = ("forward_flops", "input_gradient_flops", "weight_gradient_flops")
        return {
            "name": f"encoder.{index}",
            "parameters": 7_000_000,
            **dict.fromkeys(passes, 1.9e9 * size),
            "output_bytes": round(around(rng.choice([1e5, 4e5, 8e5]), 3.0)),
            "saved_bytes": 9_000_000,
            "saved_frozen_bytes": 0,
        }

    def device(index: int) -> Document:
        return {
            "id": f"phone-{index}",
            "flops_per_s": around(2e11, 2.0),
            "memory_bytes": round(2.2e8 * rng.uniform(1.0, 2.0 * blocks / devices + 1.0)),
            "overhead_s": 0.0,
            "compute_power_w": rng.uniform(1.0, 6.0),
            "max_power_w": rng.uniform(0.02, 0.3),
            "energy_budget_j": around(6.0, 5.0),
        }

    phones = [device(index) for index in range(devices)]
    names = [phone["id"] for phone in phones]
    return {
        "format": "edgeplan/1",
        "problem": "segment_scheduling",
        "name": f"unequal {seed}",
        "model": {"name": "unequal", "layers": [layer(index) for index in range(blocks)]},
        "clusters": [
            {
                "id": "c0",
                "d2d_bandwidth_hz": around(2e7, 3.0),
                "node_order": "free",
                "uplink_max_power_w": 0.5,
                "uplink_energy_budget_j": 2.0,
                "embedding_s": 0.002,
                "decoder_s": 0.01,
                "devices": phones,
            }
        ],
        "uplink_bandwidth_hz": 2e7,
        "noise_w_per_hz": 3.98e-21,
        "training": {
            "micro_batch_size": 4,
            "max_micro_batches": max_micro_batches,
            "weight_bytes": 4,
            "gradient_bytes": 4,
            "optimizer_bytes": 8,
            "in_flight": "1f1b",
        },
        "control": {
            "tradeoff": 10.0,
            "slots": 1,
            "noise_level": 1.0,
            "noise_budget": 0.5 if max_micro_batches == 1 else 0.2,
        },
        "channels": {
            "kind": "trace",
            "d2d": {name: [around(1.8e-10, 50.0)] for name in names},
            "uplink": {"c0": [1e-10]},
        },
        "initial_queues": {name: rng.choice([0.0, rng.uniform(0.0, 20.0)]) for name in names},
    }
