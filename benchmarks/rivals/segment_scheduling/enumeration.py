"""A whole slot by enumeration: every combination of structures, each one convex programme in CVXPY.

What one does without anything better. Programmes of one shape are compiled once. Tiny slots alone: 3
clusters of 4 devices with 12 blocks and 16 micro-batches have 10^14 combinations.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.rivals.segment_scheduling.convex_programme import ConvexProgramme, figures
from edgeplan.models.segment_scheduling import Gains, SegmentScheduling
from edgeplan.solvers.segment_scheduling.slot_arrays import Prices, Structure


@dataclass(frozen=True)
class Enumerated:
    """The best of all combinations; how many were tried, and how many of these Clarabel did not solve."""

    objective: float
    combinations: int
    failures: int
    is_complete: bool


def structures(problem: SegmentScheduling, n: int) -> Iterator[Structure]:
    """Yield every order of devices, cut and number of micro-batches of a cluster that fits its memory."""
    cluster, count = problem.instance.clusters[n], problem.segments.num_blocks
    orders = itertools.combinations if cluster.node_order == "given" else itertools.permutations
    for stages in range(1, min(count, len(cluster.devices)) + 1):
        for cuts in itertools.combinations(range(1, count), stages - 1):
            for devices in orders(range(len(cluster.devices)), stages):
                for m in range(1, problem.instance.training.max_micro_batches + 1):
                    structure = Structure(m, devices, (*cuts, count))
                    if _fits(problem, n, structure):
                        yield structure


def _fits(problem: SegmentScheduling, n: int, structure: Structure) -> bool:
    segments, devices = problem.segments, problem.instance.clusters[n].devices
    stages, runs = len(structure.devices), itertools.pairwise((0, *structure.ends))
    return all(
        segments.memory_bytes(a, b - 1, segments.in_flight(structure.micro_batches, stages - k))
        <= devices[device].memory_bytes
        for k, (device, (a, b)) in enumerate(zip(structure.devices, runs, strict=True))
    )


def enumerated(
    problem: SegmentScheduling, prices: Prices, gains: Gains, *, time_limit_s: float = math.inf
) -> Enumerated:
    """Solve every combination, or as many as the time allows."""
    level = prices.noise * problem.instance.control.noise_level / problem.instance.training.micro_batch_size
    lists = [
        [(one, figures(problem, n, one, prices, gains)) for one in structures(problem, n)]
        for n in range(len(problem.instance.clusters))
    ]
    programmes: dict[tuple[int, ...], ConvexProgramme] = {}
    best, tried, failures, until = math.inf, 0, 0, time.monotonic() + time_limit_s
    for combination in itertools.product(*lists):
        if time.monotonic() >= until:
            return Enumerated(best, tried, failures, False)
        shape = tuple(len(structure.devices) for structure, _ in combination)
        if shape not in programmes:
            programmes[shape] = ConvexProgramme(shape)
        noise_cost = level / sum(structure.micro_batches for structure, _ in combination)
        solution = programmes[shape].solve(prices, [own for _, own in combination], noise_cost)
        tried += 1
        if solution is None:
            failures += 1
        else:
            best = min(best, solution.objective)
    return Enumerated(best, tried, failures, True)
