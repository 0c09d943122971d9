"""The MILP solver: engines by name, and no word of an engine believed against the problem."""

from __future__ import annotations

import os
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from golden_instances import GOLDEN
from random_problems import problem_of
from small_instances import node, plan, problem

from edgeplan import extras
from edgeplan.errors import MissingExtraError, UsageError
from edgeplan.models.result import Result, Status, Stop
from edgeplan.solvers.backend_process import BackendProcess
from edgeplan.solvers.layer_assignment.circulation import exact_search
from edgeplan.solvers.layer_assignment.milp import pulp_process
from edgeplan.solvers.layer_assignment.milp.milp import Milp
from edgeplan.solvers.limits import SolveLimits

ENGINES = ["HiGHS", "PULP_CBC_CMD"]
TIGHT = problem(nodes=[node(name, memory_bytes=240, uplink_bit_per_s=640) for name in "pqr"])
BEST = plan("p:a", "q:b", "r:c")


@pytest.fixture
def engine_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Milp]:
    """Write a back-end whose answer to every job is this; return the solver on it."""

    def write(body: str) -> Milp:
        source = "from edgeplan.solvers.backend_process import serve\n"
        source += "def solve(job, send):\n" + textwrap.indent(textwrap.dedent(body), "    ")
        (tmp_path / "lying_backend.py").write_text(f"{source}\nserve(solve)\n", encoding="utf-8")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        monkeypatch.setattr(pulp_process, "BACKEND", "lying_backend")
        monkeypatch.setattr(exact_search, "useful_steps", lambda arcs, *_, **__: arcs.allowed)
        return Milp(polish=False)

    return write


def solved(solver: Milp, *, warm: bool = False) -> Result:
    return solver.solve(TIGHT, SolveLimits(time_limit_s=20, warm_start=BEST if warm else None))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", GOLDEN)
def test_an_engine_alone_finds_and_proves_the_golden_optimum(engine: str, name: str) -> None:
    golden = GOLDEN[name]
    result = Milp(engine, polish=False).solve(problem_of(golden.document), SolveLimits(blame=False))
    assert result.status is (Status.INFEASIBLE if golden.optimum is None else Status.OPTIMAL)
    if golden.optimum is not None:
        assert result.objective == pytest.approx(golden.optimum)


def test_auto_is_highs_and_the_result_says_so() -> None:
    result = solved(Milp(polish=False))
    assert result.solver.options["engine"] == "HiGHS"
    assert "HiGHS" in result.solver.version


def test_an_engine_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(UsageError, match=r"'milp:GUROBY': PuLP finds no such engine here; .*milp:HiGHS"):
        solved(Milp("GUROBY"))


def test_without_pulp_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "is_installed", lambda module: module != "pulp")
    with pytest.raises(MissingExtraError, match=r"solver milp needs pulp, .*edgeplan\[milp\]"):
        solved(Milp())


def test_a_bound_above_a_plan_is_an_error_and_the_plan_is_kept(
    engine_that: Callable[[str], Milp],
) -> None:
    result = solved(engine_that("return {'status': 'optimal', 'bound': 2.0**40}"), warm=True)
    assert (result.status, result.stop) == (Status.FEASIBLE, Stop.ERROR)
    assert "claims bound" in str(result.detail)


def test_an_engine_that_denies_a_plan_is_an_error_and_the_plan_is_kept(
    engine_that: Callable[[str], Milp],
) -> None:
    result = solved(engine_that("return {'status': 'infeasible', 'engine': 'X'}"), warm=True)
    assert (result.status, result.stop) == (Status.FEASIBLE, Stop.ERROR)
    assert "denies a plan" in str(result.detail)


def test_infeasible_by_an_engine_alone_is_not_believed(engine_that: Callable[[str], Milp]) -> None:
    result = solved(engine_that("return {'status': 'infeasible', 'engine': 'X'}"))
    assert (result.status, result.stop) == (Status.NO_PLAN, Stop.WORK_LIMIT)


def test_no_solution_that_is_called_feasible_is_no_plan(engine_that: Callable[[str], Milp]) -> None:
    result = solved(engine_that("return {'status': 'feasible', 'engine': 'X', 'chosen': [0], 'bound': None}"))
    assert result.status is Status.NO_PLAN


def test_a_broken_engine_is_told(engine_that: Callable[[str], Milp]) -> None:
    result = solved(engine_that("raise RuntimeError('no licence')"))
    assert (result.status, result.stop) == (Status.FAILED, Stop.ERROR)
    assert "no licence" in str(result.detail)


def test_what_a_child_has_started_is_killed_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = """
    import subprocess, sys
    from edgeplan.solvers.backend_process import serve

    def solve(job, send):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        send({"pid": child.pid})
        child.wait()

    serve(solve)
    """
    (tmp_path / "parent_backend.py").write_text(textwrap.dedent(source), encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with BackendProcess("parent_backend") as child:
        messages = child.messages({}, until=time.monotonic() + 20)
        pid = next(messages)["pid"]
    until = time.monotonic() + 20
    while not _is_gone(pid) and time.monotonic() < until:
        os.sched_yield()
    assert _is_gone(pid)


def _is_gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has waited for yet has."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"


@pytest.mark.parametrize("engine", ENGINES)
def test_the_time_limit_leaves_a_plan_and_no_false_claim(engine: str) -> None:
    nodes = [
        node(f"n{k}", flops_per_s=1 + k / 7, memory_bytes=800 + 31 * k, uplink_bit_per_s=99 + 37 * k)
        for k in range(16)
    ]
    hard = problem("abcdefghijklmnop", nodes, limits={"min_nodes": 8})
    result = Milp(engine, polish=False).solve(hard, SolveLimits(time_limit_s=1))
    assert result.status is not Status.INFEASIBLE
    assert result.bound is None or result.objective is None or result.bound <= result.objective
