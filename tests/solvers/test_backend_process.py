"""A back-end in a child: it may crash, hang or be killed, and no child is left behind."""

from __future__ import annotations

import os
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from small_instances import node, plan, problem

from edgeplan.errors import BackendError
from edgeplan.models.result import Status, Stop
from edgeplan.solvers.backend_process import BackendProcess, BackendTimeoutError
from edgeplan.solvers.layer_assignment.circulation import cp_sat
from edgeplan.solvers.limits import SolveLimits
from edgeplan.solvers.registry import solvers_of

SOLVERS = solvers_of("layer_assignment")

Backend = Callable[[str], str]


@pytest.fixture
def backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Backend:
    """Write a back-end whose `solve(job, send)` has this body; return its module's name."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def write(body: str) -> str:
        source = "import os, sys, threading\nfrom edgeplan.solvers.backend_process import serve\n"
        source += (
            "def solve(job, send):\n" + textwrap.indent(textwrap.dedent(body), "    ") + "\nserve(solve)\n"
        )
        (tmp_path / "made_up_backend.py").write_text(source, encoding="utf-8")
        return "made_up_backend"

    return write


def soon() -> float:
    return time.monotonic() + 30


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_one_child_takes_one_job_after_another(backend: Backend) -> None:
    with BackendProcess(backend("return {'twice': 2 * job['n'], 'pid': os.getpid()}")) as child:
        answers = [list(child.messages({"n": n}, until=soon())) for n in (1, 2, 3)]
    assert [final["twice"] for (final,) in answers] == [2, 4, 6]
    assert len({final["pid"] for (final,) in answers}) == 1


def test_messages_come_in_order_and_the_final_one_last(backend: Backend) -> None:
    with BackendProcess(backend("send({'n': 1}); send({'n': 2}); return {'n': 3}")) as child:
        messages = list(child.messages({}, until=soon()))
    assert messages == [{"n": 1}, {"n": 2}, {"n": 3, "final": True}]


def test_a_crash_is_told_with_the_last_words(backend: Backend) -> None:
    name = backend("raise RuntimeError('the matrix is singular')")
    with (
        BackendProcess(name) as child,
        pytest.raises(BackendError, match="ended with 1: RuntimeError: the matrix is singular"),
    ):
        list(child.messages({}, until=soon()))


def test_a_native_abort_is_told_with_its_signal(backend: Backend) -> None:
    with (
        BackendProcess(backend("os.abort()")) as child,
        pytest.raises(BackendError, match="made_up_backend ended with -6"),
    ):
        list(child.messages({}, until=soon()))


def test_a_silent_death_says_that_there_is_no_message(backend: Backend) -> None:
    with (
        BackendProcess(backend("os._exit(3)")) as child,
        pytest.raises(BackendError, match="ended with 3: no message"),
    ):
        list(child.messages({}, until=soon()))


def test_a_job_for_a_dead_child_is_a_backend_error(backend: Backend) -> None:
    with BackendProcess(backend("os._exit(3)")) as child:
        for _ in range(2):
            with pytest.raises(BackendError, match="ended with 3"):
                list(child.messages({}, until=soon()))


def test_a_module_that_does_not_exist_is_a_backend_error() -> None:
    with (
        BackendProcess("edgeplan.solvers.no_such_backend") as child,
        pytest.raises(BackendError, match="No module named"),
    ):
        list(child.messages({}, until=soon()))


def test_a_line_that_is_no_message_is_a_backend_error(backend: Backend) -> None:
    with BackendProcess(backend("print('hello'); return {}")) as child, pytest.raises(BackendError):
        list(child.messages({}, until=soon()))


def test_a_flood_of_complaints_does_not_block_the_child(backend: Backend) -> None:
    with BackendProcess(backend("print('x' * 10**6, file=sys.stderr); return {}")) as child:
        assert list(child.messages({}, until=soon())) == [{"final": True}]


HANGS = "send({'pid': os.getpid(), 'session': os.getsid(0)}); threading.Event().wait()"


def test_a_child_that_does_not_answer_in_time_is_killed(backend: Backend) -> None:
    with BackendProcess(backend(HANGS)) as child:
        pid = next(child.messages({}, until=soon()))["pid"]
        with pytest.raises(BackendTimeoutError):
            list(child.messages({}, until=time.monotonic()))
        assert is_gone(pid)


def test_no_child_outlives_the_block_that_it_served(backend: Backend) -> None:
    with BackendProcess(backend(HANGS)) as child:
        pid = next(child.messages({}, until=soon()))["pid"]
    assert is_gone(pid)


def test_no_child_outlives_an_interrupt(backend: Backend) -> None:
    pids: list[int] = []

    def interrupted() -> None:
        with BackendProcess(backend(HANGS)) as child:
            pids.append(next(child.messages({}, until=soon()))["pid"])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert is_gone(pids[0])


def test_a_child_leads_a_session_of_its_own_which_ctrl_c_does_not_reach(backend: Backend) -> None:
    with BackendProcess(backend(HANGS)) as child:
        first = next(child.messages({}, until=soon()))
    assert first["session"] == first["pid"] != os.getsid(0)


TIGHT = [node(name, memory_bytes=240) for name in "pqr"]


def test_a_broken_backend_leaves_the_heuristics_plan_and_says_how_it_broke(
    monkeypatch: pytest.MonkeyPatch, backend: Backend
) -> None:
    monkeypatch.setattr(cp_sat, "BACKEND", backend("sys.exit('out of luck')"))
    nodes = [node("p", available_s=[[0, 6]]), node("q", available_s=[[10, 16]])]
    result = SOLVERS["cp-sat"].solve(problem(nodes=nodes), SolveLimits())
    assert (result.status, result.stop, result.objective) == (Status.FEASIBLE, Stop.ERROR, 16)
    assert result.detail is not None
    assert "out of luck" in result.detail


def test_a_broken_backend_without_a_plan_has_failed(
    monkeypatch: pytest.MonkeyPatch, backend: Backend
) -> None:
    monkeypatch.setattr(cp_sat, "BACKEND", backend("sys.exit('out of luck')"))
    result = SOLVERS["cp-sat"].solve(problem(limits={"deadline_s": 1}), SolveLimits())
    assert (result.status, result.stop, result.plan) == (Status.FAILED, Stop.ERROR, None)


def test_a_backend_that_denies_a_known_plan_is_not_believed(
    monkeypatch: pytest.MonkeyPatch, backend: Backend
) -> None:
    monkeypatch.setattr(cp_sat, "BACKEND", backend("return {'status': 'infeasible'}"))
    nodes = [node("p", available_s=[[0, 6]]), node("q", available_s=[[10, 16]])]
    result = SOLVERS["cp-sat"].solve(problem(nodes=nodes), SolveLimits())
    assert (result.status, result.stop) == (Status.FEASIBLE, Stop.ERROR)


def test_a_backend_that_denies_every_plan_is_not_believed_without_a_second_opinion(
    monkeypatch: pytest.MonkeyPatch, backend: Backend
) -> None:
    monkeypatch.setattr(cp_sat, "BACKEND", backend("return {'status': 'infeasible'}"))
    result = cp_sat.CpSat(polish=False).solve(problem(nodes=TIGHT), SolveLimits())
    assert result.status is Status.NO_PLAN
    assert problem(nodes=TIGHT).check(plan("p:a", "q:b", "r:c")).feasible
