"""Chain bounds hold for every plan, and prove at once what can never be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from independent.evaluator import brute
from independent.instances import random_instance
from independent.pipeline_instances import random_pipeline
from random_problems import problem_of
from small_instances import node, problem

from edgeplan.solvers.layer_assignment.bounds.chain_bound import LIMIT_OF_TERM, least, shows_no_plan
from edgeplan.solvers.layer_assignment.candidates import candidates

makers = st.sampled_from([random_instance, random_pipeline])


@given(makers, st.integers(0, 10**9))
def test_no_plan_is_below_the_bound_and_none_is_denied(make: object, seed: int) -> None:
    document = make(seed, max_layers=4, max_nodes=4)  # type: ignore[operator]
    best, instance = brute(document), problem_of(document)
    if best is None:
        return
    assert not shows_no_plan(instance)
    metrics = instance.metrics(instance.plan_from_document(best.plan))
    for term in LIMIT_OF_TERM:
        if metrics[term] is not None:
            assert least(candidates(instance).arcs, term) <= metrics[term] * (1 + 1e-9) + 1e-12


@pytest.mark.parametrize("term", LIMIT_OF_TERM)
def test_a_hopeless_limit_on_any_cost_is_seen(term: str) -> None:
    nodes = [node(name, compute_power_w=1.0, price_per_s=1.0) for name in "pq"]
    limited = problem(nodes=nodes, limits={LIMIT_OF_TERM[term]: 0.5})
    assert shows_no_plan(limited)
    assert not shows_no_plan(limited.replace(limits={LIMIT_OF_TERM[term]: 100.0}))


def test_the_number_of_stages_counts() -> None:
    # a stage takes 3 + 1 s and more, whatever it owns
    assert not shows_no_plan(problem(limits={"deadline_s": 8.5}))
    assert shows_no_plan(problem(limits={"deadline_s": 8.5, "min_nodes": 3}))
    assert shows_no_plan(problem(limits={"min_nodes": 3, "max_nodes": 2}))
    assert shows_no_plan(problem(limits={"min_nodes": 4}))
