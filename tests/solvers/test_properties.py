"""What holds of every instance: relaxing, scaling and permuting change an optimum as they must."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from independent.evaluator import Document
from random_problems import DRAWS, near, problem_of, solve
from tier import chunks

from edgeplan.models.result import Result
from edgeplan.solvers.layer_assignment.bounds.relaxation import Relaxation
from edgeplan.solvers.layer_assignment.candidates import candidates

instances = st.one_of(
    st.builds(draw, st.integers(0, 10**9), max_layers=st.just(4), max_nodes=st.just(4))
    for draw in DRAWS.values()
)
generators = st.builds(random.Random, st.integers(0, 10**9))


def assert_not_worse(result: Result, than: Result) -> None:
    if than.objective is not None:
        assert result.objective is not None
        assert result.objective <= than.objective * (1 + 1e-6) + 1e-12


def assert_equally_good(result: Result, other: Result, factor: float = 1.0) -> None:
    expected = None if other.objective is None else other.objective * factor
    assert result.status == other.status
    assert result.objective == near(expected, rel=1e-6)


def relaxed(document: Document, rng: random.Random) -> Document:
    """Widen or drop one limit."""
    result = copy.deepcopy(document)
    node = rng.choice(result["network"]["nodes"])
    changes: list[tuple[dict[str, Any], str, Any]] = [
        (node, "memory_bytes", node["memory_bytes"] + rng.randint(1, 10**6)),
        (node, "available_s", None),
    ]
    for section, widened in (("pin", {}), ("forbid", [])):
        if result.get(section):
            changes.append((result, section, widened))
    for name, value in result.get("limits", {}).items():
        if value is not None:
            lower = max(1, value - 1) if name == "min_nodes" else max(0, value - 10)
            higher = value + rng.choice([1, 3])
            changes.append((result["limits"], name, lower if name.startswith("min_") else higher))
    home, key, value = rng.choice(changes)
    home[key] = value
    return result


def roomy(document: Document) -> Document:
    """Move limits and windows off the edge of a plan, where tolerances decide."""
    result = copy.deepcopy(document)
    for name in ("deadline_s", "budget_price", "budget_energy_j"):
        if result.get("limits", {}).get(name) is not None:
            result["limits"][name] = 1.05 * result["limits"][name] + 0.01
    for node in result["network"]["nodes"]:
        if node.get("available_s"):
            node["available_s"] = [[a, a + 0.97 * (b - a)] for a, b in node["available_s"]]
    return result


def slower(document: Document, factor: float) -> Document:
    """Let everything take `factor` times as long, and cost as much more."""
    result = copy.deepcopy(document)
    network = result["network"]
    for node in network["nodes"]:
        node["flops_per_s"] /= factor
        if node.get("available_s"):
            node["available_s"] = [[a * factor, b * factor] for a, b in node["available_s"]]
    for place in [*network["nodes"], *network.get("links", [])]:
        place["latency_s"] = place.get("latency_s", 0) * factor
        for rate in ("uplink_bit_per_s", "downlink_bit_per_s", "bit_per_s"):
            if place.get(rate) is not None:
                place[rate] /= factor
    for entries in network.get("timings", {}).values():
        for entry in entries.values():
            entry |= {name: seconds * factor for name, seconds in entry.items()}
    for name in ("deadline_s", "budget_price", "budget_energy_j"):
        if result.get("limits", {}).get(name) is not None:
            result["limits"][name] *= factor
    return result


def permuted(document: Document, rng: random.Random) -> Document:
    """Write nodes and links in another order, which only a given order of nodes minds."""
    result = copy.deepcopy(document) | {"node_order": "free"}
    rng.shuffle(result["network"]["nodes"])
    rng.shuffle(result["network"].get("links", []))
    return result


@given(instances, generators)
def test_relaxing_a_limit_never_worsens_the_optimum(document: Document, rng: random.Random) -> None:
    assert_not_worse(solve(relaxed(document, rng), "brute-force"), solve(document, "brute-force"))


@given(instances, st.sampled_from([0.25, 2.0, 3.0, 1000.0]))
def test_scaling_all_times_scales_the_optimum(document: Document, factor: float) -> None:
    edgeless = roomy(document)
    scaled = solve(slower(edgeless, factor), "brute-force")
    assert_equally_good(scaled, solve(edgeless, "brute-force"), factor)


@given(instances, generators)
def test_permuting_the_nodes_changes_nothing(document: Document, rng: random.Random) -> None:
    free = document | {"node_order": "free"}
    assert_equally_good(solve(permuted(free, rng), "brute-force"), solve(free, "brute-force"))


@given(instances)
def test_the_heuristic_is_above_the_optimum_and_the_walk_bound_below(document: Document) -> None:
    exact, found = solve(document, "brute-force").objective, solve(document, "heuristic").objective
    relaxation = Relaxation(candidates(problem_of(document)).arcs)
    if found is not None:
        assert exact is not None
        assert found >= exact * (1 - 1e-9)
    if exact is not None:
        assert relaxation.first_bound() <= exact * (1 + 1e-9) + 1e-15


@given(instances)
def test_forbidding_a_node_everything_is_as_good_as_removing_it(document: Document) -> None:
    nodes = document["network"]["nodes"]
    if len(nodes) == 1 or document.get("server") == nodes[-1]["id"]:
        return
    last, shared = nodes[-1]["id"], document.get("shared_layers", [])
    own = [layer["name"] for layer in document["model"]["layers"] if layer["name"] not in shared]
    unpinned = document | {
        "pin": {},
        "forbid": [pair for pair in document.get("forbid", []) if pair[1] != last],
    }
    forbidden = unpinned | {"forbid": [*unpinned["forbid"], *([name, last] for name in own)]}
    links = [link for link in document["network"].get("links", []) if last not in link.values()]
    removed = unpinned | {"network": document["network"] | {"nodes": nodes[:-1], "links": links}}
    assert_equally_good(solve(forbidden, "brute-force"), solve(removed, "brute-force"))


@pytest.mark.parametrize("schedule", DRAWS)
@pytest.mark.parametrize("seeds", chunks(8, commit=24, large=3_000), ids=str)
def test_cp_sat_keeps_the_metamorphic_rules_too(schedule: str, seeds: range) -> None:
    for seed in seeds:
        rng, document = random.Random(seed), roomy(DRAWS[schedule](seed))
        rule = seed % 3
        if rule == 0:
            assert_not_worse(solve(relaxed(document, rng)), solve(document))
        elif rule == 1:
            assert_equally_good(solve(slower(document, 4.0)), solve(document), 4.0)
        else:
            free = document | {"node_order": "free"}
            assert_equally_good(solve(permuted(free, rng)), solve(free))
