"""Arrows run one way: models <- solvers, models <- runtime; and importing the package loads nothing heavy."""

from __future__ import annotations

import ast
import subprocess
import sys
from itertools import permutations
from pathlib import Path

import pytest

import edgeplan
from edgeplan.models.problems import PROBLEMS

PACKAGE = Path(edgeplan.__file__).parent
HEAVY = ("ortools", "torch", "scipy", "matplotlib", "sklearn", "transformers", "numpy", "pydantic", "typer")


def imported(path: Path) -> set[str]:
    """Full names of everything that a file imports, anywhere in it."""
    names: set[str] = set()
    package = (PACKAGE.name, *path.relative_to(PACKAGE).parent.parts)
    for statement in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(statement, ast.Import):
            names |= {alias.name for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom):
            home = package[: len(package) - statement.level + 1] if statement.level else ()
            module = ".".join([*home, *([statement.module] if statement.module else [])])
            names |= {f"{module}.{alias.name}" for alias in statement.names}
    return names


def importers_of(target: str, room: str = "") -> list[str]:
    """Files of a room of the package that import the target or something in it."""
    return [
        str(path.relative_to(PACKAGE))
        for path in sorted((PACKAGE / room).rglob("*.py"))
        if any(name == target or name.startswith(f"{target}.") for name in imported(path))
    ]


@pytest.mark.parametrize(
    ("room", "target"),
    [
        *(("models", f"edgeplan.{room}") for room in ("solvers", "runtime", "report", "cli", "api")),
        *(("models", package) for package in ("torch", "ortools", "scipy")),
        *(("solvers", f"edgeplan.{room}") for room in ("runtime", "report", "cli", "api")),
        ("solvers", "torch"),
        *(("runtime", f"edgeplan.{room}") for room in ("solvers", "report", "cli", "api")),
        ("runtime", "ortools"),
        *(("report", f"edgeplan.{room}") for room in ("runtime", "cli")),
        *(("simulation", f"edgeplan.{room}") for room in ("solvers", "runtime", "report", "cli", "api")),
        *(("simulation", package) for package in ("torch", "ortools", "scipy")),
        *((room, "edgeplan.simulation") for room in ("models", "solvers", "runtime", "report")),
    ],
)
def test_no_arrow_runs_against_the_order_of_the_rooms(room: str, target: str) -> None:
    assert importers_of(target, room) == []


@pytest.mark.parametrize(
    ("package", "homes"),
    [
        ("ortools", ["circulation/cp_sat_backend.py"]),
        ("scipy", ["bounds/prices.py", "infeasible/scipy_backend.py"]),
        ("pulp", ["milp/pulp_programme.py"]),
    ],
)
def test_a_back_end_is_imported_only_in_the_files_that_run_it(package: str, homes: list[str]) -> None:
    room = "solvers/layer_assignment"
    assert importers_of(package, room) == [f"{room}/{home}" for home in homes]
    assert all(path.startswith("solvers/") for path in importers_of(package))


def test_slots_need_scipy_for_their_linear_programme_alone_and_c_for_their_kernel() -> None:
    room = "solvers/segment_scheduling"
    assert importers_of("scipy", room) == [f"{room}/dual_master.py"]
    assert importers_of("cvxpy") == []


def test_sparse_updates_need_scipy_for_their_two_linear_programmes_alone() -> None:
    room = "solvers/sparse_update"
    homes = ["master/programme.py", "prices/relaxation.py", "prices/update_rows.py"]
    assert importers_of("scipy", room) == [f"{room}/{home}" for home in homes]


def test_opacus_is_imported_where_samples_are_private_and_nowhere_else() -> None:
    homes = ("accounting", "private_steps", "validation")
    assert importers_of("opacus") == [f"runtime/learning/privacy/{home}.py" for home in homes]


def test_models_draw_channels_by_numpy_and_need_it_nowhere_else() -> None:
    assert importers_of("numpy", "models") == ["models/segment_scheduling/channels.py"]


def test_the_search_for_importers_finds_the_imports_that_are_there() -> None:
    assert "solvers/search.py" in importers_of("edgeplan.models", "solvers")
    assert "cli/run.py" in importers_of("edgeplan.runtime")


def loaded_by(statement: str) -> set[str]:
    """Top-level modules in a fresh process after a statement."""
    code = f"import sys; {statement}; print(*(name.partition('.')[0] for name in sys.modules))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(ended.stdout.split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_by("import edgeplan as ep").isdisjoint(HEAVY)


def test_reading_an_instance_loads_no_solver_and_no_torch() -> None:
    loaded = loaded_by("import edgeplan as ep; ep.load")
    assert loaded.isdisjoint({"ortools", "torch", "scipy", "numpy", "matplotlib", "sklearn", "transformers"})


def modules_loaded_by(statement: str) -> set[str]:
    """Our own modules in a fresh process after a statement."""
    code = f"import sys; {statement}; print(*(name for name in sys.modules if name.startswith('edgeplan.')))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(ended.stdout.split())


def test_the_functions_and_the_command_line_load_no_problem_s_solvers() -> None:
    loaded = modules_loaded_by("import edgeplan.api, edgeplan.cli")
    assert [name for name in loaded if name.startswith(tuple(SOLVER_ROOMS))] == []


SOLVER_ROOMS = [f"edgeplan.solvers.{name}" for name in PROBLEMS]


@pytest.mark.parametrize(("room", "other"), list(permutations(SOLVER_ROOMS, 2)))
def test_the_solvers_of_one_problem_import_none_of_another(room: str, other: str) -> None:
    assert importers_of(other, room.removeprefix("edgeplan.").replace(".", "/")) == []


def test_solving_loads_no_back_end_into_this_process() -> None:
    tiny = "from edgeplan.models.layer_assignment.examples import two_layers_two_nodes as tiny"
    loaded = loaded_by(f"import edgeplan as ep; {tiny}; ep.solve(tiny())")
    assert loaded.isdisjoint({"ortools", "torch", "matplotlib", "sklearn", "transformers"})


def test_simulating_loads_numpy_alone() -> None:
    tiny = "from edgeplan.models.layer_assignment.examples import two_layers_two_nodes as tiny"
    plan = "{'stages': [{'node': 'slow', 'layers': ['conv', 'head']}]}"
    loaded = loaded_by(
        f"import edgeplan as ep; {tiny}; it = tiny(); ep.simulate(it, it.plan_from_document({plan}))"
    )
    assert loaded.isdisjoint({"ortools", "torch", "scipy", "matplotlib", "sklearn", "transformers"})
    assert "numpy" in loaded


def test_the_public_names_are_these() -> None:
    assert edgeplan.__all__ == [
        "BackendError",
        "Check",
        "Conflict",
        "Controller",
        "EdgeplanError",
        "Explanation",
        "Incumbent",
        "InvalidInputError",
        "InvalidPlanError",
        "LayerAssignment",
        "MissingExtraError",
        "Plan",
        "Result",
        "RunError",
        "SegmentPlan",
        "SegmentScheduling",
        "SparsePlan",
        "SparseUpdate",
        "Stage",
        "Status",
        "Stop",
        "UsageError",
        "Violation",
        "check",
        "explain",
        "load",
        "replan",
        "run",
        "simulate",
        "solve",
    ]


def test_runs_without_noise_do_not_load_opacus() -> None:
    loaded = loaded_by("import edgeplan.runtime.snake.worker, edgeplan.runtime.federated.worker")
    assert "torch" in loaded
    assert "opacus" not in loaded


def test_every_public_name_is_there_and_listed() -> None:
    assert all(getattr(edgeplan, name) is not None for name in edgeplan.__all__)
    assert {*edgeplan.__all__} <= {*dir(edgeplan)}


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'sort'"):
        _ = edgeplan.sort
