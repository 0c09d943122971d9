"""The instances on which the planners are compared, by suite; each is made when its turn comes.

=========  ================================================================================================
suite      instances
=========  ================================================================================================
pipedream  PipeDream's profiles on equal and on mixed GPUs, two of them the golden values of the problem
published  the inference instances of Tarnawski et al., NeurIPS 2020
profiles   BERT-base, OPT-1.3B and Llama-3-8B on mixed clusters of 4 to 64 devices, every schedule
size       drawn at random, 100 layers on 1,000 to 100,000 nodes
=========  ================================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import get_args

from benchmarks.at_size_instances import Schedule, at_size_problem
from benchmarks.mixed_clusters import inference_problem, serial_problem, training_problem
from benchmarks.pipedream_profiles import Gpu, mixed, pipedream_problem
from benchmarks.published_partitionings import MODELS, published_problem
from edgeplan.models.layer_assignment import LayerAssignment

GIGABYTE = 1e9
SERIAL = (
    *(("bert-base", size, "peer") for size in (4, 8, 16)),
    *(("bert-base", size, "server") for size in (8, 16)),
    *(("opt-1.3b", size, "peer") for size in (8, 16, 32, 64)),
    *(("opt-1.3b", size, "server") for size in (16, 64)),
    *(("llama-3-8b", size, "peer") for size in (16, 32, 64)),
    *(("llama-3-8b", size, "server") for size in (16, 64)),
)
TRAINING = (
    *(("bert-base", size) for size in (4, 8, 16)),
    *(("opt-1.3b", size) for size in (4, 8, 16, 32, 64)),
    *(("llama-3-8b", size) for size in (8, 16, 32, 64)),
)
INFERENCE = tuple(("llama-3-8b", size) for size in (4, 8, 16, 32, 64))
SIZES = (1_000, 10_000, 100_000)


@dataclass(frozen=True)
class PlannerCase:
    """One instance.

    Parameters
    ----------
    suite
        Where it belongs.
    name
        Its line in the table.
    build
        Makes it; may raise `DataAbsentError`.
    """

    suite: str
    name: str
    build: Callable[[], LayerAssignment]


def planner_cases() -> Iterator[PlannerCase]:
    """Yield every case, small suites first."""
    yield from _pipedream()
    for model in MODELS:
        yield PlannerCase("published", f"{model}, 6 accelerators and a CPU", _of(published_problem, model))
    yield from _profiles()
    yield from _size()


def _of(
    build: Callable[..., LayerAssignment], *args: object, **members: object
) -> Callable[[], LayerAssignment]:
    return lambda: build(*args, **members)


def _pipedream() -> Iterator[PlannerCase]:
    for model, count, gigabytes in (
        ("vgg16", 2, 1),
        ("vgg16", 4, 10),
        ("alexnet", 4, 1),
        ("resnet50", 4, 1),
        ("resnet50", 8, 10),
    ):
        rate = gigabytes * GIGABYTE
        build = _of(pipedream_problem, model, [Gpu()] * count, byte_per_s=rate)
        yield PlannerCase("pipedream", f"{model}, {count} equal, {gigabytes} GB/s", build)
    for model in ("vgg16", "alexnet", "resnet50"):
        for count, objective in ((4, "bottleneck_s"), (8, "bottleneck_s"), (8, "time_s")):
            members = {"byte_per_s": GIGABYTE, "micro_batches": 8, "objective": objective}
            build = _of(pipedream_problem, model, mixed(count), **members)
            goal = "bottleneck" if objective == "bottleneck_s" else "batch of 8"
            yield PlannerCase("pipedream", f"{model}, {count} mixed, 1 GB/s, {goal}", build)


def _profiles() -> Iterator[PlannerCase]:
    for model, size, transport in SERIAL:
        build = _of(serial_problem, model, size, transport)
        yield PlannerCase("profiles", f"{model}, Snake by {transport}, {size} nodes", build)
    for model, size in TRAINING:
        yield PlannerCase("profiles", f"{model}, training, {size} nodes", _of(training_problem, model, size))
    for model, size in INFERENCE:
        yield PlannerCase(
            "profiles", f"{model}, inference, {size} nodes", _of(inference_problem, model, size)
        )


def _size() -> Iterator[PlannerCase]:
    for size in SIZES:
        for schedule in get_args(Schedule):
            build = _of(at_size_problem, "bar", schedule, num_nodes=size)
            yield PlannerCase("size", f"100 layers, {size:,} random nodes, {schedule}", build)
    for schedule in get_args(Schedule):
        build = _of(at_size_problem, "fasttight", schedule, num_nodes=SIZES[-1])
        yield PlannerCase("size", f"100 layers, 60 fast and tight of {SIZES[-1]:,} nodes, {schedule}", build)
