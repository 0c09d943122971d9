"""``edgeplan doctor``."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import typer
from rich.table import Table

from edgeplan.cli.console import stderr
from edgeplan.extras import EXTRA_OF_MODULE

_CORE = ("edgeplan", "pydantic", "ortools", "numpy", "scipy", "typer", "rich")
_PACKAGE_OF_MODULE = {"sklearn": "scikit-learn"}
_BROKEN = 7


def doctor() -> None:
    """Show versions and extras, and solve a tiny instance with every solver."""
    from edgeplan.models.layer_assignment.examples import two_layers_two_nodes
    from edgeplan.models.result import Stop
    from edgeplan.solvers.layer_assignment.brute_force import BruteForce
    from edgeplan.solvers.layer_assignment.cp_sat import CpSat
    from edgeplan.solvers.layer_assignment.heuristic import Heuristic
    from edgeplan.solvers.limits import SolveLimits

    table = Table("part", "version", "state")
    table.add_row("python", platform.python_version(), "ok")
    for package in _CORE:
        table.add_row(package, version(package), "ok")
    for module, extra in EXTRA_OF_MODULE.items():
        table.add_row(*_extra_row(_PACKAGE_OF_MODULE.get(module, module), extra))
    broken = False
    for solver in (CpSat(polish=False), Heuristic(), BruteForce()):  # CP-SAT must do the work itself
        result = solver.solve(two_layers_two_nodes(), SolveLimits(time_limit_s=30))
        state = f"{result.status}, objective {result.objective}"
        if result.stop is Stop.ERROR or result.objective is None:
            state, broken = f"{result.status}: {result.detail}", True
        table.add_row(f"solver {solver.name}", result.solver.version, state)
    stderr.print(table)
    raise typer.Exit(_BROKEN if broken else 0)


def _extra_row(package: str, extra: str) -> tuple[str, str, str]:
    try:
        return package, version(package), f"ok (extra {extra})"
    except PackageNotFoundError:
        return package, "", f"missing: pip install 'edgeplan[{extra}]'"
