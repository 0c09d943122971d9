"""Random instances as problems, with what the independent brute force and CP-SAT say of them."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pytest
from independent.evaluator import Document, Optimum, brute
from independent.instances import random_instance, random_pipeline

from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.result import Result
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.registry import solvers_of

SOLVERS = solvers_of("layer_assignment")

DRAWS = {"serial": random_instance, "pipeline": random_pipeline}


@dataclass(frozen=True)
class Judged:
    """A random instance, its problem, its optimum and CP-SAT's answer."""

    document: Document
    problem: LayerAssignment
    best: Optimum | None
    result: Result

    @property
    def objective(self) -> float | None:
        return None if self.best is None else float(self.best.objective)


def problem_of(document: Document) -> LayerAssignment:
    return LayerAssignment.from_document(copy.deepcopy(document))


def solve(document: Document, solver: str = "cp-sat") -> Result:
    return SOLVERS[solver].solve(problem_of(document), SolveLimits())


@lru_cache(maxsize=1_000)
def judged(seed: int, schedule: str = "serial") -> Judged:
    """Return the instance of a seed, solved once for all tests that look at it."""
    document = DRAWS[schedule](seed)
    return Judged(document, problem_of(document), brute(document), solve(document))


def near(objective: float | None, *, rel: float = 1e-9) -> Any:
    """The objective within rounding; None is equal to None alone."""
    return None if objective is None else pytest.approx(objective, rel=rel, abs=1e-12)
