"""How fast this machine really trains, so that slower nodes can be imitated.

Waiting until the predicted time would prove equation (5) by itself. Instead full training steps are timed
once, and every step of a node is stretched by one factor: what a full step should take on the node over
the processor time that it takes here. Whether a partial step then follows its FLOPs is measured, not imposed.
"""

from __future__ import annotations

import statistics
from dataclasses import astuple

from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.runtime.snake.device.training import Batch, Spent, Stopwatch, train
from edgeplan.runtime.snake.device.workload import Workload, optimizer_for

WARM_UP_STEPS = 3
TIMED_STEPS = 9


def time_full_step(
    workload: Workload, batch: Batch, *, optimizer_bytes: float, learning_rate: float | None
) -> Spent:
    """Time one training step of the whole network on a copy; the median of several."""
    trial = workload.copy()
    optimizer = optimizer_for(trial.train_only(trial.layers), optimizer_bytes, learning_rate)
    train(trial.module, optimizer, [batch] * WARM_UP_STEPS)
    steps = []
    for _ in range(TIMED_STEPS):
        begin = Stopwatch()
        train(trial.module, optimizer, [batch])
        steps.append(begin.read())
    wall_s, processor_s = (statistics.median(times) for times in zip(*map(astuple, steps), strict=True))
    return Spent(wall_s, processor_s)


def full_step_flops(problem: LayerAssignment) -> float:
    """FLOPs of one training step of the whole network, by the profile."""
    every_layer = set(range(len(problem.instance.model.layers)))
    return problem.instance.training.batch_size * problem.figures.flops(every_layer)


def slowdown_of(problem: LayerAssignment, node: str, full_step_s: float) -> float:
    """Return how many times as long a full step takes on `node` as `full_step_s`.

    Examples
    --------
    >>> from edgeplan.models.layer_assignment.examples import two_layers_two_nodes
    >>> slowdown_of(two_layers_two_nodes(), "slow", full_step_s=2.5)
    2.0
    """
    network = problem.instance.network
    every_layer = tuple(range(len(problem.instance.model.layers)))
    visit_s = problem.figures.compute_s(network.nodes[network.index_of[node]], every_layer)
    return visit_s / problem.instance.training.local_steps / full_step_s
