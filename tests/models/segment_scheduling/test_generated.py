"""Generated instances: valid, reproducible, with room for a plan and limits that bind."""

from __future__ import annotations

import json

import pytest

from edgeplan.models.document import canonical_bytes
from edgeplan.models.segment_scheduling import SegmentScheduling
from edgeplan.models.segment_scheduling.encoder import bert_like
from edgeplan.models.segment_scheduling.generated import NOISE_SHARE, Size, fits_in_order, generated

SIZES = [
    (1, Size(1, 1, 1, 1)),
    (1, Size(1, 4, 3, 2)),
    (4, Size(2, 3, 16, 5)),
    (12, Size(3, 4, 16, 3)),
    (3, Size(2, 7, 8, 1)),
    (24, Size(6, 10, 12, 1)),
]


def made(blocks: int, size: Size, seed: int = 0, *, trace: bool = False) -> SegmentScheduling:
    document = generated(bert_like(blocks), size, seed=seed, trace=trace)
    return SegmentScheduling.from_document(json.loads(json.dumps(document)))


@pytest.mark.parametrize("trace", [False, True])
@pytest.mark.parametrize(("blocks", "size"), SIZES)
def test_an_instance_of_any_size_is_valid_and_has_that_size(blocks: int, size: Size, trace: bool) -> None:
    instance = made(blocks, size, trace=trace).instance
    assert len(instance.model.layers) == blocks
    assert [len(cluster.devices) for cluster in instance.clusters] == [size.num_devices] * size.num_clusters
    assert instance.control.slots == size.num_slots
    assert instance.training.max_micro_batches == size.max_micro_batches
    assert instance.channels.kind == ("trace" if trace else "rayleigh")


@pytest.mark.parametrize("trace", [False, True])
def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(trace: bool) -> None:
    size = Size(2, 3, 16, 5)
    first, again, other = (
        canonical_bytes(generated(bert_like(6), size, seed=seed, trace=trace)) for seed in (3, 3, 4)
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize(("blocks", "size"), SIZES)
def test_every_cluster_holds_the_blocks_at_the_micro_batches_that_the_noise_asks_for(
    blocks: int, size: Size
) -> None:
    for seed in range(20):
        problem = made(blocks, size, seed)
        for cluster in problem.instance.clusters:
            assert fits_in_order(
                problem.segments, cluster, max(1, round(NOISE_SHARE * size.max_micro_batches))
            )


def in_order(problem: SegmentScheduling, micro_batches: int) -> dict[str, object]:
    """The plan that `fits_in_order` looks at, at little power and an even share of the bands."""
    instance, segments, entries = problem.instance, problem.segments, []
    names = [block.name for block in instance.model.layers]
    for cluster in instance.clusters:
        stages, first = [], 0
        for index, device in enumerate(cluster.devices):
            in_flight = segments.in_flight(micro_batches, len(cluster.devices) - index)
            last = first
            while last < len(names) and segments.memory_bytes(first, last, in_flight) <= device.memory_bytes:
                last += 1
            if last > first:
                band = cluster.d2d_bandwidth_hz / len(cluster.devices)
                link = {"bandwidth_hz": band, "power_w": device.max_power_w / 2}
                stages.append({"device": device.id, "layers": names[first:last], **link})
            first = last
        stages[-1] = {key: stages[-1][key] for key in ("device", "layers")}
        band = instance.uplink_bandwidth_hz / len(instance.clusters)
        uplink = {"bandwidth_hz": band, "power_w": cluster.uplink_max_power_w / 2}
        entries.append({"id": cluster.id, "micro_batches": micro_batches, "uplink": uplink, "stages": stages})
    return {"slots": [{"clusters": entries}] * instance.control.slots}


@pytest.mark.parametrize("seed", range(5))
def test_a_plan_that_takes_the_devices_in_order_breaks_no_rule(seed: int) -> None:
    problem = made(12, Size(3, 4, 16, 3), seed)
    verdict = problem.check(problem.plan_from_document(in_order(problem, 10)))
    assert verdict.violations == ()
    assert verdict.metrics is not None
    assert verdict.metrics["mean_noise"] <= problem.instance.control.noise_budget * (1 + 1e-9)
    assert max(verdict.metrics["budget_violation"].values()) > 0


def test_most_devices_have_no_room_for_all_blocks() -> None:
    problem = made(12, Size(10, 10, 16, 1))
    alone = problem.segments.memory_bytes(0, 11, 2)
    devices = [device for cluster in problem.instance.clusters for device in cluster.devices]
    assert sum(device.memory_bytes < alone for device in devices) > len(devices) / 2
