"""What devices put into collectives and take out: averages over those that train, equal everywhere."""

from __future__ import annotations

from typing import Any

import pytest
from threaded_links import Network, ThreadWay, on_every

pytest.importorskip("torch")

import torch
from torch import Tensor

from edgeplan.models.sparse_update import SparsePlan, SparseUpdate
from edgeplan.models.sparse_update.collectives import Key, key_of
from edgeplan.models.sparse_update.plan import Slice
from edgeplan.runtime.sparse.execution.exchange.aggregation import Aggregation

RATIOS = (0.25, 0.5, 1.0)


def problem(**members: Any) -> SparseUpdate:
    costs = {"memory_bytes": 0, "contribution": 1.0, "weight_gradient_flops": 1}
    options = [{"ratio": ratio, "parameters": int(8 * ratio), **costs} for ratio in RATIOS]
    layer = {"forward_flops": 1, "input_gradient_flops": 1, "bias_bytes": 0, "bias_parameters": 3}
    document = {
        "format": "edgeplan/1",
        "problem": "sparse_update",
        "layers": [{"name": name, "options": options, **layer} for name in ("first", "second")],
        "depth_contribution": [0.0, 0.0, 0.0],
        "devices": [{"id": name, "memory_bytes": 1, "flops_per_s": 1.0} for name in "abcd"],
        "network": {"latency_s": 0.0, "bit_per_s": None},
        "training": {"batch_size": 1, "gradient_bytes": 4},
        "objective": {"contribution": 1.0},
        **members,
    }
    return SparseUpdate.from_document(document)


DEVICES = [
    {"id": "a", "depth": 1, "updates": [{"layer": "second", "ratio": 0.25}]},
    {"id": "b", "depth": 2, "updates": [{"layer": "second", "ratio": 1.0}]},
    {"id": "c", "depth": 2, "updates": [{"layer": "first", "ratio": 0.5}, {"layer": "second", "ratio": 0.5}]},
    {"id": "d", "depth": 0},
]


class SlicedVectors:
    """Slices by their keys, each a vector of the device's own numbers."""

    def __init__(self, aggregation: Aggregation) -> None:
        generator = torch.Generator().manual_seed(aggregation.rank)
        self.vectors: dict[Key, Tensor] = {
            key_of(one.slice): torch.randn(one.parameters, generator=generator)
            for one in aggregation.cost.updated
        }

    def read(self, part: Slice) -> Tensor:
        return self.vectors[key_of(part)].clone()

    def write(self, part: Slice, values: Tensor) -> None:
        self.vectors[key_of(part)] = values.clone()


def aggregated(given: SparseUpdate, plan: dict[str, Any]) -> tuple[list[SlicedVectors], list[Aggregation]]:
    """Run all collectives of a plan without violations, every device in a thread."""
    read = SparsePlan.from_document(plan)
    assert given.check(read).violations == ()
    parts = [Aggregation(given.cost(read), rank) for rank in range(4)]
    replicas, network = [SlicedVectors(part) for part in parts], Network()

    def play(rank: int) -> None:
        way = ThreadWay(network.link(rank))
        expected = [(index, parts[rank].expect(index, replicas[rank], way)) for index in parts[rank].sequence]
        for index, ready in expected:
            parts[rank].run(index, replicas[rank], ready)

    on_every(range(4), play)
    return replicas, parts


def means(parts: list[Aggregation]) -> dict[Key, Tensor]:
    before = [SlicedVectors(part) for part in parts]
    return {
        key_of(one.slice): torch.stack([before[d].vectors[key_of(one.slice)] for d in one.members]).mean(0)
        for one in parts[0].cost.updated
    }


def free_collectives(given: SparseUpdate) -> list[dict[str, Any]]:
    """All slices in one all-reduce among three devices, told to the fourth by the last of them."""
    cost = given.cost(SparsePlan.from_document({"devices": DEVICES}))
    slices = [one.slice.model_dump(by_alias=True, exclude_defaults=True) for one in cost.updated]
    return [
        {"kind": "all_reduce", "members": ["a", "b", "c"], "slices": slices},
        {"kind": "broadcast", "root": "c", "members": ["d", "c"], "slices": slices},
    ]


@pytest.mark.parametrize("fuse", [True, False])
def test_canonical_collectives_leave_the_mean_of_those_that_train_everywhere(fuse: bool) -> None:
    replicas, parts = aggregated(problem(fuse=fuse), {"devices": DEVICES})
    assert len({len(one.members) for one in parts[0].cost.updated}) == 3  # of one, two and three devices
    for key, mean in means(parts).items():
        for replica in replicas:
            assert torch.equal(replica.vectors[key], replicas[0].vectors[key])
            torch.testing.assert_close(replica.vectors[key], mean, rtol=1e-6, atol=1e-6)


def test_free_collectives_with_zeros_from_outside_leave_the_same() -> None:
    given = problem(collectives="free")
    plan = {"devices": DEVICES, "collectives": free_collectives(given)}
    replicas, parts = aggregated(given, plan)
    for key, mean in means(parts).items():
        for replica in replicas:
            assert torch.equal(replica.vectors[key], replicas[0].vectors[key])
            torch.testing.assert_close(replica.vectors[key], mean, rtol=1e-6, atol=1e-6)


def test_a_device_takes_part_in_its_own_collectives_in_the_order_of_all() -> None:
    given = problem(collectives="free")
    cost = given.cost(SparsePlan.from_document({"devices": DEVICES, "collectives": free_collectives(given)}))
    assert [Aggregation(cost, rank).sequence for rank in range(4)] == [(0,), (0,), (0, 1), (1,)]
