"""The instances of the repository load, and those with a known optimum have it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from independent.evaluator import brute

import edgeplan
from edgeplan.models.layer_assignment import Plan

FOLDER = Path(__file__).parent.parent / "instances" / "layer_assignment"
INSTANCES = sorted(path.name for path in FOLDER.glob("*.json") if path.name != "devices.json")


def noted(key: str) -> list[str]:
    return [name for name in INSTANCES if key in json.loads((FOLDER / name).read_text(encoding="utf-8"))]


@pytest.mark.parametrize("name", INSTANCES)
def test_every_instance_loads(name: str) -> None:
    assert edgeplan.load(FOLDER / name).instance.name


@pytest.mark.parametrize("name", noted("x-optimum"))
def test_an_instance_has_the_optimum_that_it_notes(name: str) -> None:
    document = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    problem = edgeplan.load(FOLDER / name)
    result = edgeplan.solve(problem)
    assert (result.status, result.objective) == ("optimal", pytest.approx(document["x-optimum"], rel=1e-6))
    assert problem.check(Plan.from_document(result.plan)).feasible


@pytest.mark.parametrize("name", [name for name in noted("x-arithmetic") if name.startswith("tiny")])
def test_a_tiny_instance_is_what_the_independent_brute_force_says(name: str) -> None:
    document = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    best = brute(document)
    assert document.get("x-optimum") == (None if best is None else best.objective)
    assert edgeplan.solve(edgeplan.load(FOLDER / name)).status == (
        "infeasible" if best is None else "optimal"
    )
