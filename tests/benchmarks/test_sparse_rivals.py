"""The rules that our plans of sparse_update are set beside give valid plans, none better than the best."""

from __future__ import annotations

import pytest
from independent.sparse_instances import random_document

from benchmarks.rivals.sparse_update import RULES
from benchmarks.rivals.sparse_update.rule import Rule, fits, planned, worth
from benchmarks.sparse_rivals import solved, table
from edgeplan.models.sparse_update import SparseUpdate
from edgeplan.models.sparse_update.examples import two_layers_two_boards


def free_of_rules(seed: int) -> SparseUpdate | None:
    """An instance with no rule among devices, all of which may do nothing; None where some may not."""
    document = random_document(seed, 4, 2) | {"pin": [], "forbid": [], "coverage": {}, "nested": False}
    document["depth_contribution"] = [alone or 0.0 for alone in document["depth_contribution"]]
    document["devices"] = [device | {"weight": 1.0} for device in document["devices"]]
    problem = SparseUpdate.from_document(document)
    instance, devices = problem.instance, range(2)
    return problem if all(fits(instance, d, planned(instance, d, 0, {})) for d in devices) else None


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_gives_plans_that_fit_and_bring_no_more_than_the_best(rule: Rule) -> None:
    tried = 0
    for seed in range(24):
        problem = free_of_rules(seed)
        if problem is None:
            continue
        tried += 1
        best, _ = solved("dp", 20.0, objective={"contribution": 1.0})(problem)
        for d in range(len(problem.instance.devices)):
            own = rule.choose(problem.instance, d)
            assert fits(problem.instance, d, own)
            assert worth(problem.instance, d, own) <= worth(problem.instance, d, best.devices[d]) + 1e-9
    assert tried > 8


def test_the_table_has_a_row_for_every_rule_and_for_ours() -> None:
    lines = list(table(two_layers_two_boards(), 20.0))
    assert sum(line.startswith("| ") for line in lines) == 2 + len(RULES) + 3
    assert any("edgeplan, free collectives" in line for line in lines)
    assert any("Dense data parallelism" in line for line in lines)
