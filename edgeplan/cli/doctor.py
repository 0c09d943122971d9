"""``edgeplan doctor``."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from edgeplan.cli.console import stdout
from edgeplan.cli.files import STANDARD, write_json
from edgeplan.errors import EdgeplanError
from edgeplan.extras import EXTRA_OF_MODULE, is_installed
from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.problem import Problem
from edgeplan.models.result import Stop
from edgeplan.models.segment_scheduling import SegmentScheduling
from edgeplan.models.sparse_update import SparseUpdate

if TYPE_CHECKING:
    from edgeplan.solvers.registry import Solver

_CORE = ("edgeplan", "pydantic", "ortools", "numpy", "scipy", "typer", "rich")
_PACKAGE_OF_MODULE = {"sklearn": "scikit-learn"}
_COLUMNS = ("part", "version", "state")
_BROKEN = 7


def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Show versions and extras, and solve a tiny instance with every solver and every MILP engine.

    "emulation kernel" says whether edgeplan run can make nodes of its own here; where not, it waits instead.
    """
    rows = [("python", platform.python_version(), "ok")]
    rows += [(package, version(package), "ok") for package in _CORE]
    rows += [
        _extra_row(_PACKAGE_OF_MODULE.get(module, module), extra) for module, extra in EXTRA_OF_MODULE.items()
    ]
    if is_installed("torch"):
        rows.append(_emulation_row())
    broken = False
    for name, solver, tiny in _solvers():
        *row, failed = _tried(name, solver, tiny)
        rows.append((row[0], row[1], row[2]))
        broken |= failed
    if json:
        write_json([dict(zip(_COLUMNS, row, strict=True)) for row in rows], STANDARD)
    else:
        stdout.print(_table(rows))
    raise typer.Exit(_BROKEN if broken else 0)


def _table(rows: list[tuple[str, str, str]]) -> Table:
    table = Table(*_COLUMNS)
    for row in rows:
        table.add_row(*row)
    return table


def _solvers() -> Iterator[tuple[str, Solver, Problem]]:
    """Every solver with a tiny instance; milp on every engine.

    Those that can begin with a heuristic's plan do the work themselves here.
    """
    from edgeplan.models.layer_assignment.examples import two_layers_two_nodes
    from edgeplan.models.segment_scheduling.examples import two_blocks_two_phones
    from edgeplan.models.sparse_update.examples import two_layers_two_boards
    from edgeplan.solvers.layer_assignment.circulation.cp_sat import CpSat
    from edgeplan.solvers.layer_assignment.dynamic_programme import DynamicProgramme
    from edgeplan.solvers.layer_assignment.milp.milp import Milp
    from edgeplan.solvers.layer_assignment.milp.pulp_process import engines
    from edgeplan.solvers.registry import solvers_of
    from edgeplan.solvers.sparse_update.exact.cp_sat import CpSat as SparseCpSat

    alone: dict[str, Solver] = {
        CpSat.name: CpSat(polish=False),
        DynamicProgramme.name: DynamicProgramme(polish=False),
    }
    for name, solver in solvers_of(LayerAssignment.name).items():
        if name != Milp.name:
            yield name, alone.get(name, solver), two_layers_two_nodes()
    if is_installed("pulp"):
        for engine in engines():
            yield f"{Milp.name}:{engine}", Milp(engine, polish=False), two_layers_two_nodes()
    for name, solver in solvers_of(SegmentScheduling.name).items():
        yield name, solver, two_blocks_two_phones()
    without_prices: dict[str, Solver] = {SparseCpSat.name: SparseCpSat(polish=False)}
    for name, solver in solvers_of(SparseUpdate.name).items():
        if name != Milp.name:
            yield f"{name} of {SparseUpdate.name}", without_prices.get(name, solver), two_layers_two_boards()


def _tried(name: str, solver: Solver, tiny: Problem) -> tuple[str, str, str, bool]:
    """Row of a solver after a tiny solve, and whether it is broken."""
    from edgeplan.solvers.limits import SolveLimits

    try:
        result = solver.solve(tiny, SolveLimits(time_limit_s=30))
    except EdgeplanError as error:
        return f"solver {name}", "", str(error), True
    if result.stop is Stop.ERROR or result.objective is None:
        return f"solver {name}", result.solver.version, f"{result.status}: {result.detail}", True
    return f"solver {name}", result.solver.version, f"{result.status}, objective {result.objective}", False


def _emulation_row() -> tuple[str, str, str]:
    """Whether nodes can be made here, as the making of one shows."""
    from edgeplan.runtime.emulation.modes import KERNEL, chosen_mode

    try:
        return f"emulation {chosen_mode(KERNEL)}", "", "ok"
    except EdgeplanError as error:
        return f"emulation {KERNEL}", "", f"not here: {error}"


def _extra_row(package: str, extra: str) -> tuple[str, str, str]:
    try:
        return package, version(package), f"ok (extra {extra})"
    except PackageNotFoundError:
        return package, "", f"missing: pip install 'edgeplan[{extra}]'"
