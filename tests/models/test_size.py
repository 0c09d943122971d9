"""A network of 100,000 nodes is read and judged."""

from __future__ import annotations

import json

import pytest
from small_instances import document, layer, node

from edgeplan.errors import InvalidInputError
from edgeplan.models.document import parse
from edgeplan.models.layer_assignment import Plan
from edgeplan.models.problems import problem_from_document

NUM_NODES = 100_000


def large(**last_node: object) -> bytes:
    nodes = [
        node(f"n{k}", type=f"t{k % 20}", uplink_bit_per_s=1e6, available_s=[[0, 9e9]], samples=k % 3)
        for k in range(NUM_NODES)
    ]
    nodes[-1] |= last_node
    layers = [layer(f"l{k}") for k in range(100)]
    links = [{"source": f"n{k}", "target": f"n{k + 1}", "latency_s": 0.5} for k in range(99)]
    written = document(layers, nodes)
    written["network"]["links"] = links
    return json.dumps(written).encode()


def test_a_hundred_thousand_nodes_are_read_and_a_plan_on_them_judged() -> None:
    given = problem_from_document(parse(large())[0])
    assert len(given.instance.network.nodes) == NUM_NODES
    stages = [{"node": f"n{k}", "layers": [f"l{k}"]} for k in range(100)]
    verdict = given.check(Plan.from_document({"stages": stages}))
    assert verdict.feasible
    # F of 100 and W of 1 on each node, I behind it; 99 links of 0.5 s, and 7,920 bit/us into the first
    assert verdict.objective == pytest.approx(100 * 101 + sum(range(100)) + 99 * 0.5 + 8 * 4 * 990 / 1e6)


def test_the_last_of_a_hundred_thousand_nodes_has_its_own_pointer() -> None:
    parsed, faults = parse(large(memory_bytes=-4))
    with pytest.raises(InvalidInputError) as caught:
        problem_from_document(parsed, also=faults)
    assert [fault.pointer for fault in caught.value.faults] == ["/network/nodes/99999/memory_bytes"]
