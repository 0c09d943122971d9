"""Slots as a controller meets them in the long run: generated instances of any size with queues that weigh.

With empty queues a slot is trivial, one micro-batch and full power. So queues are drawn such that, with
energies at their budgets, all energy together costs about as much as the latency, each device between nothing
and twice its part, and the noise at its budget as much as the latency.
"""

from __future__ import annotations

import random

from benchmarks.rivals.segment_scheduling.full_power import FullPower
from benchmarks.rivals.segment_scheduling.speed_segments import speed_segments
from edgeplan.models.segment_scheduling import SegmentScheduling
from edgeplan.models.segment_scheduling.encoder import bert_like
from edgeplan.models.segment_scheduling.generated import Size, generated
from edgeplan.models.segment_scheduling.instance import NOISE
from edgeplan.models.segment_scheduling.queues import budgets_j
from edgeplan.models.segment_scheduling.slot_cost import slot_cost


def with_queues(
    num_clusters: int,
    num_devices: int,
    num_blocks: int,
    *,
    num_slots: int,
    seed: int,
    max_micro_batches: int = 16,
) -> SegmentScheduling:
    """Draw an instance of blocks of BERT-base.

    Examples
    --------
    >>> problem = with_queues(2, 2, 4, num_slots=3, seed=0)
    >>> problem.initial_queues.noise > 0
    True
    """
    size = Size(num_clusters, num_devices, max_micro_batches=max_micro_batches, num_slots=num_slots)
    problem = SegmentScheduling.from_document(generated(bert_like(num_blocks), size, seed=seed))
    control, rng = problem.instance.control, random.Random(seed)
    worth = control.tradeoff * _plain_latency_s(problem)
    budgets = budgets_j(problem.instance)
    queues = {name: rng.uniform(0, 2) * worth / len(budgets) * budget for name, budget in budgets.items()}
    return problem.replace(initial_queues=queues | {NOISE: worth * control.noise_budget})


def _plain_latency_s(problem: SegmentScheduling) -> float:
    gains, queues = next(problem.gains()), problem.initial_queues
    plan = FullPower(problem, speed_segments(problem)).decide(gains, queues, 0.0).plan
    return slot_cost(problem.segments, plan, gains, queues).latency_s
