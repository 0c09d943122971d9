"""CP-SAT, MILP engines, the dynamic programme and brute force, each by itself, say the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from independent.evaluator import brute, evaluate
from random_problems import DRAWS, near, problem_of
from tier import chunks
from warm_backends import WarmBackends

from edgeplan.models.result import Status, Stop
from edgeplan.solvers.layer_assignment.circulation.cp_sat import CpSat
from edgeplan.solvers.layer_assignment.dynamic_programme import DynamicProgramme
from edgeplan.solvers.layer_assignment.label_setting import pruning
from edgeplan.solvers.layer_assignment.milp.milp import Milp
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.registry import Solver

ALONE: dict[str, Solver] = {  # without a heuristic's plan, bound or pruning
    "cp-sat": CpSat(polish=False),
    "milp on HiGHS": Milp("HiGHS", polish=False),
    "milp on CBC": Milp("PULP_CBC_CMD", polish=False),
    "dp": DynamicProgramme(polish=False),
}

random_seeds = pytest.mark.parametrize("seeds", chunks(25, commit=50, large=500), ids=str)
every_schedule = pytest.mark.parametrize("schedule", DRAWS)


@pytest.fixture
def warm(monkeypatch: pytest.MonkeyPatch) -> Iterator[WarmBackends]:
    backends = WarmBackends(monkeypatch)
    yield backends
    backends.close()


@pytest.mark.usefixtures("warm")
@every_schedule
@random_seeds
def test_all_exact_ways_agree_with_the_independent_brute_force(schedule: str, seeds: range) -> None:
    for seed in seeds:
        agree(schedule, seed, ALONE)


PRUNED = {"_PRUNE_FROM": 0, "_FIRST_ASCENT_S": 0.1, "_FIRST_LABELS": 3, "_NARROW": 2}
DIVED = {"_PRUNE_FROM": 1e300, "_QUICK_STEPS": 0, "_WIDTHS": (1, 3)}


@every_schedule
@pytest.mark.parametrize("settings", [PRUNED, DIVED], ids=["prunes and prices", "dives"])
@pytest.mark.parametrize("seeds", chunks(30, commit=60, large=2_100), ids=str)
def test_the_dynamic_programme_agrees_where_it(
    seeds: range, settings: dict[str, object], schedule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings.items():
        monkeypatch.setattr(pruning, name, value)
    for seed in seeds:
        agree(schedule, seed, {"dp": DynamicProgramme()})


def agree(schedule: str, seed: int, solvers: dict[str, Solver]) -> None:
    """Compare what solvers prove of an instance with what the independent brute force finds."""
    document = DRAWS[schedule](seed)
    best = brute(document)
    known = Status.INFEASIBLE if best is None else Status.OPTIMAL
    for name, solver in solvers.items():
        result = solver.solve(problem_of(document), SolveLimits(blame=False))
        assert (seed, name, result.status, result.stop) == (seed, name, known, Stop.PROOF), result.detail
        assert result.objective == near(None if best is None else float(best.objective), rel=1e-6)
        if result.plan is not None:
            assert evaluate(document, result.plan).feasible
