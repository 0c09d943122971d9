"""Every order of distinct devices, every cut and every number of micro-batches that fits the memory."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from independent.segment_evaluator import Document, SegmentCase


@dataclass(frozen=True)
class Structure:
    """What is left of a cluster's decision without bands and powers."""

    devices: tuple[str, ...]
    runs: tuple[range, ...]
    micro_batches: int


def structures(case: SegmentCase, cluster: Document) -> Iterator[Structure]:
    """Yield all that the specification allows a cluster."""
    ids = [device["id"] for device in cluster["devices"]]
    given = cluster.get("node_order", "free") == "given"
    orders = itertools.combinations if given else itertools.permutations
    count = len(case.layers)
    for stages in range(1, min(count, len(ids)) + 1):
        for cuts in itertools.combinations(range(1, count), stages - 1):
            runs = tuple(range(a, b) for a, b in itertools.pairwise((0, *cuts, count)))
            for order in orders(ids, stages):
                for m in range(1, case.training["max_micro_batches"] + 1):
                    structure = Structure(order, runs, m)
                    if fits(case, structure):
                        yield structure


def fits(case: SegmentCase, structure: Structure) -> bool:
    """(6)."""
    stages = len(structure.devices)
    return all(
        case.memory(run, stages - j, structure.micro_batches) <= case.devices[device]["memory_bytes"]
        for j, (device, run) in enumerate(zip(structure.devices, structure.runs, strict=True))
    )


def as_cluster(
    case: SegmentCase, unit: str, structure: Structure, links: list[tuple[float, float]]
) -> Document:
    """Return the plan's entry; links are (band, power) of every hop, then of the uplink."""
    stages: list[Document] = [
        {"device": device, "layers": [case.layers[index]["name"] for index in run]}
        for device, run in zip(structure.devices, structure.runs, strict=True)
    ]
    *hops, uplink = ({"bandwidth_hz": band, "power_w": power} for band, power in links)
    for stage, hop in zip(stages[:-1], hops, strict=True):
        stage.update(hop)
    return {"id": unit, "micro_batches": structure.micro_batches, "uplink": uplink, "stages": stages}
