"""The golden values of PipeDream's vgg16, found by a small exact dynamic programme and met by the problem."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from independent.evaluator import evaluate
from pipedream import layers_of
from small_instances import Document, document, node

from edgeplan.models.layer_assignment import LayerAssignment, Plan


def best_cuts(layers: list[Document], num_nodes: int, bit_per_s: int) -> tuple[Fraction, list[int]]:
    """Least bottleneck on equal nodes of 1000 FLOP/s, and where the stages end.

    best[k][n] is the least bottleneck of the first n layers on k stages, with its ends.
    """
    ways = ("forward_flops", "weight_gradient_flops")
    flops = [sum((Fraction(str(given[way])) for way in ways), Fraction(0)) for given in layers]
    cuts = [Fraction(2 * 8 * given["output_bytes"], bit_per_s) for given in layers]
    count = len(layers)
    best = [{n: (sum(flops[:n], Fraction(0)) / 1000, [n]) for n in range(1, count + 1)}]
    for _ in range(1, num_nodes):
        best.append(
            {
                n: min(
                    (max(value, cuts[m - 1], sum(flops[m:n], Fraction(0)) / 1000), [*ends, n])
                    for m, (value, ends) in best[-1].items()
                    if m < n
                )
                for n in range(len(best) + 1, count + 1)
            }
        )
    return min(table[count] for table in best)


@pytest.mark.parametrize(
    ("num_nodes", "bit_per_s", "golden"),
    [
        # the problem's golden values: milliseconds per minibatch of PipeDream's profile of vgg16
        (2, 8 * 10**9, Fraction("0.411041792")),
        (4, 8 * 10**10, Fraction("0.235590")),
    ],
)
def test_pipedreams_vgg16_has_its_golden_bottleneck(num_nodes: int, bit_per_s: int, golden: Fraction) -> None:
    layers = layers_of("vgg16")
    assert len(layers) == 40
    least, ends = best_cuts(layers, num_nodes, bit_per_s)
    assert least == golden
    machine = node("n", flops_per_s=1000, memory_bytes=2**50, uplink_bit_per_s=bit_per_s)
    given = document(
        layers,
        [machine | {"id": f"n{k}"} for k in range(num_nodes)],
        training={"batch_size": 1, "weight_bytes": 0, "gradient_bytes": 0, "optimizer_bytes": 0},
        schedule="pipeline",
        micro_batches=1,
        objective={"bottleneck_s": 1},
    )
    stages = [
        {"node": f"n{k}", "layers": [f"node{number + 2}" for number in range(start, end)]}
        for k, (start, end) in enumerate(pairwise([0, *ends]))
    ]
    assert evaluate(given, {"stages": stages}).objective == golden
    found = LayerAssignment.from_document(given).check(Plan.from_document({"stages": stages}))
    assert found.violations == ()
    assert found.objective == pytest.approx(float(golden), rel=1e-12)
