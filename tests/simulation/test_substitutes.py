"""Substitutes are exactly the idle nodes with which the problem finds no rule of the stage broken."""

from __future__ import annotations

from typing import Any

import pytest
from played_problems import drawn

from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.simulation.substitutes import MOST_SUBSTITUTES, Substitutes

OF_STAGES = {"memory", "pin", "forbid", "node_order"}


def with_node(plan: Any, stage: int, node: str) -> Plan:
    document = plan.to_document()
    document["stages"][stage]["node"] = node
    return Plan.from_document(document)


def broken(problem: LayerAssignment, plan: Any) -> set[str]:
    """Rules of single stages that a plan breaks; times and budgets are what a simulation finds out."""
    return {violation.rule for violation in problem.violations(plan)} & OF_STAGES


def test_the_problem_judges_substitutes_alike() -> None:
    met = [0, 0]
    for seed, problem, plan in drawn("serial", range(300)):
        if broken(problem, plan) or problem.instance.limits.min_samples:
            continue
        visits = problem.cost(plan).visits
        substitutes = Substitutes(problem, visits)
        nodes = [node.id for node in problem.instance.network.nodes]
        idle = {*range(len(nodes))} - {visit.visit.node for visit in visits}
        idle -= {nodes.index(problem.server)} if problem.server else set()
        for stage in range(len(visits)):
            found = substitutes.of(stage)
            for node in idle:
                sound = not broken(problem, with_node(plan, stage, nodes[node]))
                assert (node in found) == sound, (seed, stage, node)
                met[sound] += 1
    assert min(met) > 30, met


def test_the_fastest_come_first() -> None:
    met = 0
    for seed, problem, plan in drawn("serial", range(200)):
        visits = problem.cost(plan).visits
        substitutes = Substitutes(problem, visits)
        for stage in range(len(visits)):
            found = substitutes.of(stage)
            times = []
            for node in found:
                name = problem.instance.network.nodes[node].id
                costs = problem.cost(with_node(plan, stage, name)).visits
                cost, following = costs[stage], costs[(stage + 1) % len(costs)]
                handed_on = following.transfer_in_s if problem.server is None else cost.transfer_out_s
                times.append(cost.transfer_in_s + cost.compute_s + handed_on)
            assert times == pytest.approx(sorted(times), rel=1e-9), (seed, stage)
            met += len(found) > 1
    assert met > 10


def test_of_many_nodes_a_few_are_kept() -> None:
    problem = next(
        problem
        for _, problem, plan in drawn("serial", range(100))
        if problem.instance.node_order == "free" and not problem.instance.pin and not problem.instance.forbid
    )
    extra = [{"id": f"extra{k}", "flops_per_s": 1e6 + k, "memory_bytes": 2**50} for k in range(30)]
    network = problem.document["network"]
    wide = problem.replace(network=network | {"nodes": [*network["nodes"], *extra]}, limits={})
    plan = next(plan for _, same, plan in drawn("serial", range(100)) if same.document == problem.document)
    assert len(Substitutes(wide, wide.cost(plan).visits).of(0)) == MOST_SUBSTITUTES
