"""What segment_speed.py measures: programmes of fixed structures, tiny whole slots, slots as they grow."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import median
from typing import Any

from benchmarks.rivals.segment_scheduling.convex_programme import ConvexProgramme, figures
from benchmarks.rivals.segment_scheduling.enumeration import enumerated, structures
from benchmarks.rivals.segment_scheduling.equal_segments import equal_segments
from benchmarks.rivals.segment_scheduling.policy import asked_micro_batches
from benchmarks.segment_slots import with_queues
from benchmarks.timed_run import timed_run
from edgeplan.models.segment_scheduling import Gains, SegmentScheduling
from edgeplan.solvers.segment_scheduling.controller import OPTIMAL_GAP, Controller
from edgeplan.solvers.segment_scheduling.slot_arrays import InstanceArrays, Prices, Structure
from edgeplan.solvers.segment_scheduling.together import Noise, solve_together

Point = dict[str, Any]
DEVICES, BLOCKS = 4, 12  # of the first part
_KILL_FACTOR, _KILL_EXTRA_S = 2.0, 60.0


@dataclass
class FixedStructures:
    """Equal segments on all devices in every slot, decided by the kernel and by CVXPY.

    Parameters
    ----------
    problem
        The instance.
    """

    problem: SegmentScheduling
    solver_s: list[float] = field(default_factory=list)

    @cached_property
    def chosen(self) -> dict[int, Structure]:
        """The structures."""
        rule, asked = equal_segments(self.problem), asked_micro_batches(self.problem)
        gains, clusters = next(self.problem.gains()), range(len(self.problem.instance.clusters))
        found = {n: rule(n, asked, gains) for n in clusters}
        return {n: structure for n, structure in found.items() if structure is not None}

    @cached_property
    def prices(self) -> Prices:
        """Weights of every slot."""
        return Prices.of_queues(self.problem, self.problem.initial_queues)

    @cached_property
    def noise(self) -> Noise:
        """Cost of the noise."""
        control, training = self.problem.instance.control, self.problem.instance.training
        level = self.prices.noise * control.noise_level / training.micro_batch_size
        return Noise(level, len(self.chosen), len(self.chosen) * training.max_micro_batches)

    @cached_property
    def _arrays(self) -> InstanceArrays:
        return InstanceArrays(self.problem)

    def stated(self) -> ConvexProgramme:
        """State the programme of their shape to CVXPY."""
        return ConvexProgramme([len(structure.devices) for structure in self.chosen.values()])

    def by_kernel(self, gains: Gains) -> float | None:
        """Objective of a slot by ours."""
        together = solve_together(self._arrays.slot(self.prices, gains, None), self.chosen, self.noise)
        return None if together is None else together.objective

    def by_cvxpy(self, gains: Gains, programme: ConvexProgramme) -> float | None:
        """Objective of a slot by CVXPY; keeps the time of Clarabel alone."""
        own = [figures(self.problem, n, one, self.prices, gains) for n, one in self.chosen.items()]
        noise_cost = self.noise.cost(sum(one.micro_batches for one in self.chosen.values()))
        solution = programme.solve(self.prices, own, noise_cost)
        if solution is None:
            return None
        self.solver_s.append(solution.solver_s)
        return solution.objective


def structure_point(num_clusters: int, num_slots: int, time_limit_s: float) -> Point:
    """Measure fixed structures of so many clusters."""
    slots = FixedStructures(with_queues(num_clusters, DEVICES, BLOCKS, num_slots=num_slots, seed=1))
    gains, compiled = list(slots.problem.gains()), slots.stated()
    slots.by_kernel(gains[0]), slots.by_cvxpy(gains[0], compiled)  # loads and compiles
    slots.solver_s.clear()
    ours_s, ours = _timed(slots.by_kernel, gains, time_limit_s)
    once_s, once = _timed(lambda g: slots.by_cvxpy(g, compiled), gains, time_limit_s)
    alone_s = median(slots.solver_s) if slots.solver_s else None
    anew_s, _ = _timed(lambda g: slots.by_cvxpy(g, slots.stated()), gains, time_limit_s)
    both = [(a, b) for a, b in zip(ours, once, strict=False) if a is not None and b is not None]
    return {
        "part": "structure",
        "clusters": num_clusters,
        "links": sum(len(one.devices) for one in slots.chosen.values()),
        "ours_s": ours_s,
        "anew_s": anew_s,
        "once_s": once_s,
        "clarabel_s": alone_s,
        "failures": sum(objective is None for objective in once),
        "solved": len(once),
        "difference": max((abs(a - b) / abs(b) for a, b in both), default=None),
    }


def _timed(
    decide: Callable[[Gains], float | None], every: Sequence[Gains], time_limit_s: float
) -> tuple[float, list[float | None]]:
    """Median seconds of a slot, and what came out of each, of as many as the time allows."""
    seconds: list[float] = []
    found: list[float | None] = []
    until = time.monotonic() + time_limit_s
    for gains in every:
        started = time.monotonic()
        found.append(decide(gains))
        seconds.append(time.monotonic() - started)
        if time.monotonic() > until:
            break
    return median(seconds), found


def slot_point(size: tuple[int, int, int, int], num_slots: int, time_limit_s: float) -> Point:
    """Measure whole slots: clusters, devices of each, blocks and most micro-batches.

    The first slot by enumeration, all by ours.
    """
    problem = with_queues(*size[:3], num_slots=num_slots, seed=1, max_micro_batches=size[3])
    prices = Prices.of_queues(problem, problem.initial_queues)
    lists = [structures(problem, n) for n in range(len(problem.instance.clusters))]
    started = time.monotonic()
    theirs = enumerated(problem, prices, next(problem.gains()), time_limit_s=time_limit_s)
    theirs_s = time.monotonic() - started
    ours = decided(problem, OPTIMAL_GAP / 2, time_limit_s)
    return {
        "part": "slot",
        "size": list(size),
        "combinations": math.prod(sum(1 for _ in each) for each in lists),
        "tried": theirs.combinations,
        "failures": theirs.failures,
        "enumeration_s": theirs_s,
        "cold_s": ours.seconds[0],
        "warm_s": ours.later(ours.seconds),
        "gap": ours.gaps[0],
        "difference": (theirs.objective - ours.objectives[0]) / theirs.objective
        if theirs.is_complete
        else None,
    }


@dataclass
class Decisions:
    """What slot after slot took and gave."""

    seconds: list[float] = field(default_factory=list)
    objectives: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)

    @staticmethod
    def later(values: list[float]) -> float | None:
        """Median of all but the first; None where there is one alone."""
        return median(values[1:]) if values[1:] else None


def decided(problem: SegmentScheduling, gap: float, slot_time_s: float) -> Decisions:
    """Let the controller decide every slot."""
    tiny = with_queues(1, 1, 1, num_slots=1, seed=0)
    Controller(tiny).step(next(tiny.gains()))  # loads the kernel
    controller, decisions = Controller(problem, gap=gap, slot_time_s=slot_time_s), Decisions()
    for gains in problem.gains():
        started = time.monotonic()
        decision = controller.step(gains)
        decisions.seconds.append(time.monotonic() - started)
        decisions.objectives.append(decision.objective)
        decisions.gaps.append(decision.gap)
    return decisions


def growth_point(
    sweep: str, size: tuple[int, int, int], num_slots: int, time_limit_s: float, gap: float
) -> Point:
    """Measure slots of a size in a process of its own, with the limit for each slot."""
    point: Point = dict(zip(("clusters", "devices", "blocks"), size, strict=True))
    run = timed_run(
        lambda: decided(with_queues(*size, num_slots=num_slots, seed=1), gap, time_limit_s),
        limit_s=_KILL_FACTOR * num_slots * time_limit_s + _KILL_EXTRA_S,
    )
    point |= {"part": "growth", "sweep": sweep, "asked": gap, "failure": run.failure}
    if run.failure is not None:
        return point
    done: Decisions = run.value
    return point | {
        "cold_s": done.seconds[0],
        "warm_s": done.later(done.seconds),
        "cold_gap": done.gaps[0],
        "warm_gap": done.later(done.gaps),
    }
