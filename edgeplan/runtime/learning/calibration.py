"""How fast this machine really trains, so that slower nodes can be imitated.

Waiting until the predicted time would prove equation (5) by itself. Instead steps of the whole network are
timed, and a node gets the quota with which they take as long as the instance says. Where processes wait
instead, every visit to a node is stretched by one factor: what a full step should take on the node over the
processor time that it takes here. Whether a partial step then follows its FLOPs is measured, not imposed.
The sleep comes after a visit's last step: a step that begins after a sleep finds cold caches and took up to
twice as long in trials, which no slow device would show.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.runtime.emulation.pace import MACHINE, Pace, timed
from edgeplan.runtime.learning.training import Batch, Stepping, train
from edgeplan.runtime.learning.workload import Workload, optimizer_for
from edgeplan.runtime.processes.stopwatch import Spent

TIMED_VISITS = 3
MOST_VISITS = 9  # timed with a quota, where they are short
MOST_STEPS = 10
PAUSE_S = 0.1
HELD_S = 0.3  # of a timed visit with a quota


def time_full_step(
    workload: Workload,
    batches: Sequence[Batch],
    *,
    optimizer_bytes: float,
    learning_rate: float | None,
    pace: Pace = MACHINE,
    stepping: Stepping = train,
) -> Spent:
    """Time a step of the whole network on a copy: the median over several visits, after one to warm up.

    Each visit begins as a real one does, after a pause and with a fresh optimizer.
    """
    trial, steps = workload.copy(), batches[:MOST_STEPS]

    def train_once() -> None:
        optimizer = optimizer_for(trial.train_only(trial.layers), optimizer_bytes, learning_rate)
        stepping(trial.module, optimizer, pace.steadied(steps))

    def visit() -> Spent:
        time.sleep(PAUSE_S)
        _, spent = timed(pace, train_once)
        return spent

    num_visits = _num_visits(pace, visit().wall_s)
    spent = [visit() for _ in range(num_visits)]
    wall_s = statistics.median(one.wall_s for one in spent)
    processor_s = statistics.median(one.processor_s for one in spent)
    return Spent(wall_s / len(steps), processor_s / len(steps))


def _num_visits(pace: Pace, visit_s: float) -> int:
    """A visit's processor time varies by a tenth from one to the next: time many where they are short."""
    most = TIMED_VISITS if pace == MACHINE else MOST_VISITS
    return max(TIMED_VISITS, min(most, round(MOST_VISITS * HELD_S / visit_s)))


def full_step_flops(problem: LayerAssignment) -> float:
    """FLOPs of one training step of the whole network, by the profile."""
    every_layer = set(range(len(problem.instance.model.layers)))
    return problem.instance.training.batch_size * problem.serial.flops(every_layer)


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
    visit_s = problem.serial.compute_s(network.nodes[network.index_of[node]], every_layer)
    return visit_s / problem.instance.training.local_steps / full_step_s


def visit_of(batches: Sequence[Batch], step_s: float) -> Sequence[Batch]:
    """Return the first batches of a visit, as many as a node with such steps trains in some time.

    Examples
    --------
    >>> len(visit_of([None] * 10, step_s=0.1)), len(visit_of([None] * 10, step_s=7.0))
    (3, 1)
    """
    return batches[: max(1, min(MOST_STEPS, round(HELD_S / step_s)))]
