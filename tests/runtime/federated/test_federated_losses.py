from __future__ import annotations

import re
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from federated_instances import problem, recomputed, schedule
from torch.distributed import HashStore

from edgeplan.errors import RunError, UsageError
from edgeplan.runtime.federated import Job, RunSettings, prepare, resume, run, supervise
from edgeplan.runtime.federated.conversation import Answer, Conversation, Loss, converse
from edgeplan.runtime.federated.job import Ending
from edgeplan.runtime.federated.pair import Pair, packed
from edgeplan.runtime.federated.recovery import started_again
from edgeplan.runtime.federated.roll_call import RollCall
from edgeplan.runtime.processes.records import lost_key
from edgeplan.runtime.processes.rehearsal import faults_of
from edgeplan.runtime.processes.supervision import Lost, NodesLostError

CLIENTS = tuple(f"node-{k}" for k in range(7))
EVERYONE: list[dict[str, object]] = [{"node": name, "local_steps": 1} for name in CLIENTS]
UNSHAPED = RunSettings(emulation="none", seed=5)
DYING = "0:tell:8 1:start 2:calibrate 3:receive:2 4:compute:3 5:send:4 6:connect"
AT_THE_END = 7
GONE_FROM = {
    "node-0": AT_THE_END,
    "node-1": 0,
    "node-2": 0,
    "node-3": 2,
    "node-4": 3,
    "node-5": 4,
    "node-6": 0,
}


def test_a_run_goes_on_without_clients_that_are_killed_and_averages_over_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYING", DYING)
    rounds = [EVERYONE] * 4 + [EVERYONE[3:], EVERYONE[:2]]  # of the fifth round nobody is left
    job = prepare(problem(clients=CLIENTS), schedule(*rounds), UNSHAPED, out=tmp_path)
    report = supervise(replace(job.crew, program="dying_client"))
    assert {one["node"]: one["round"] for one in report["lost"]} == GONE_FROM
    last, first, second, third, fourth, fifth, unconnected = (one["when"] for one in report["lost"])
    assert last == "after the last round"
    assert (first, second, unconnected) == ("start-up",) * 3
    assert third.startswith("before")
    assert (fourth, fifth) == ("before its update", "while it sent its update")
    assert all(one["reason"].startswith("was killed by signal 9") for one in report["lost"])
    trained = np.load(tmp_path / "parameters.npy", allow_pickle=False)
    assert trained.tolist() == recomputed(job, gone_from=GONE_FROM)
    assert [len(entry["clients"]) for entry in report["rounds"]] == [4, 3, 2, 1, 0, 1]
    assert [entry["lost"] for entry in report["rounds"]][1:4] == [["node-3"], ["node-4"], ["node-5"]]
    for entry in report["rounds"][:4]:
        assert sum(client["share"] for client in entry["clients"]) == pytest.approx(1.0)
    assert report["totals"]["bytes_equal"]
    assert report["passed"]
    assert report["notes"][1].startswith("node-1 was lost at start-up (was killed by signal 9)")


def test_a_run_that_was_ended_resumes_after_the_last_round_kept_without_who_was_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(scored: dict[str, Any]) -> None:
        if scored["round"] >= 3:
            raise KeyboardInterrupt

    monkeypatch.setenv("DYING", "1:compute:2")
    rounds = [EVERYONE[:3]] * 5 + [EVERYONE[1:3]]
    job = prepare(problem(clients=CLIENTS[:3]), schedule(*rounds), UNSHAPED, out=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        supervise(replace(job.crew, program="dying_client"), interrupt)
    report = resume(tmp_path)
    assert report["passed"]
    assert [entry["lost"] for entry in report["rounds"]] == [[], ["node-1"], [], [], [], []]
    assert [len(entry["clients"]) for entry in report["rounds"]] == [3, 2, 2, 2, 2, 1]
    assert Job.read(job.path).rounds_made in (2, 3, 4, 5, 6)  # it scores on while it is interrupted
    assert report["notes"][0].startswith("the run was ended after round ")
    assert all(client["parameters_equal"] for entry in report["rounds"] for client in entry["clients"])
    trained = np.load(tmp_path / "parameters.npy", allow_pickle=False)
    assert trained.tolist() == recomputed(job, gone_from={"node-1": 2})
    with pytest.raises(UsageError, match="has come to its end"):
        resume(tmp_path)


@pytest.mark.parametrize("fault", ["hub:2:aggregate:kill", "node-1:2:receive:hang"])
def test_a_server_that_is_lost_is_started_again_and_a_client_that_hangs_is_left_out(
    tmp_path: Path, fault: str
) -> None:
    told: list[str] = []
    settings = replace(UNSHAPED, patience_s=4.0, faults=faults_of([fault]))
    plan = schedule(*[EVERYONE[:3]] * 3)
    report = run(problem(clients=CLIENTS[:3]), plan, settings, out=tmp_path, on_incident=told.append)
    job = Job.read(tmp_path / "job.json")
    assert report["passed"]
    trained = np.load(tmp_path / "parameters.npy", allow_pickle=False)
    assert trained.tolist() == recomputed(job, {one["node"]: one["round"] for one in report["lost"]})
    if fault.startswith("hub"):
        assert [one["after_round"] for one in report["restarts"]] == [1]
        assert report["restarts"][0]["how"].startswith("was killed by signal 9")
        assert told == report["notes"][:1]
        assert told[0].startswith("hub was lost (was killed by signal 9")
        assert report["lost"] == []
    else:
        assert [one["node"] for one in report["lost"]] == ["node-1"]
        assert told == report["restarts"] == []


def test_a_server_that_is_lost_twice_in_a_round_ends_the_run(tmp_path: Path) -> None:
    job = prepare(problem(), schedule(EVERYONE[:1]), UNSHAPED, out=tmp_path)
    lost = NodesLostError("the server was killed", {job.server_rank: Lost("was killed", "start-up")})
    again = started_again(job, lost)
    assert Job.read(job.path).endings == again.endings == (Ending(0, "was killed", "start-up"),)
    with pytest.raises(RunError, match="lost twice before another round was made; see to it first"):
        started_again(again, lost)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("pi-9:1:compute:kill", "'pi-9' takes no part in the run; name one of node-0, hub"),
        ("hub:1:compute:kill", "hub has no phase compute; use start-up, send, receive, aggregate"),
        ("node-0:1:aggregate:kill", "node-0 has no phase aggregate; use start-up, receive, compute, send"),
        ("node-0:1:send:unlink", "unlink needs --emulation kernel, where nodes have links to lose"),
    ],
)
def test_faults_that_could_never_strike_are_refused(tmp_path: Path, fault: str, message: str) -> None:
    settings = replace(UNSHAPED, faults=faults_of([fault]))
    with pytest.raises(UsageError, match=re.escape(message)):
        prepare(problem(), schedule(EVERYONE[:1]), settings, out=tmp_path)
    assert not (tmp_path / "job.json").exists()


def test_a_run_without_any_client_left_fails_and_names_the_one_that_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYING", "0:compute:1")
    job = prepare(problem(), schedule(EVERYONE[:1], EVERYONE[:1]), UNSHAPED, out=tmp_path)
    with pytest.raises(RunError, match=r"node node-0 \(rank 0\) was killed by signal 9"):
        supervise(replace(job.crew, program="dying_client"))
    assert not (tmp_path / "run.json").exists()


@pytest.fixture
def loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")


def pair_of(client: int, timeout_s: float) -> tuple[Pair, Pair]:
    """Return both ends of a way within this process."""
    store, ends = HashStore(), {}

    def open_end(is_server: bool) -> None:
        ends[is_server] = Pair(store, client, is_server=is_server, timeout_s=timeout_s)

    threads = [threading.Thread(target=open_end, args=(one,)) for one in (True, False)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ends[True], ends[False]


@pytest.mark.usefixtures("loopback")
def test_a_client_that_says_nothing_is_lost_and_the_others_are_heard() -> None:
    silent, _kept = pair_of(0, timeout_s=0.2)
    server, client = pair_of(1, timeout_s=30.0)
    parameters = torch.arange(100.0)

    def answer() -> None:
        _, values = client.expect(100).wait()
        client.send(packed([1.0, 2.0, 3.0, 0.5, 0.0], values + 1))

    threading.Thread(target=answer).start()
    talk = Conversation(0.0, parameters, {0: 0.0, 1: 0.0})
    told = dict(converse({0: silent, 1: server}, talk, lambda _rank: False))
    assert isinstance(told[0], Loss)
    assert isinstance(told[1], Answer)
    assert told[1].update.tolist() == (parameters + 1).tolist()
    assert (told[1].received_s, told[1].trained_s, told[1].loss) == (1.0, 3.0, 0.5)


@pytest.mark.usefixtures("loopback")
def test_a_client_whose_process_has_ended_behind_a_cut_link_is_not_waited_for() -> None:
    silent, _kept = pair_of(0, timeout_s=600.0)
    talk = Conversation(0.0, torch.arange(100.0), {0: 0.0})
    told = dict(converse({0: silent}, talk, lambda _rank: True))
    assert isinstance(told[0], Loss)
    assert str(told[0].error) == "its process ended"


@pytest.mark.usefixtures("loopback")
def test_a_client_that_ends_before_it_connects_is_waited_for_no_longer() -> None:
    store = HashStore()
    roll_call = RollCall(store, range(2), timeout_s=600.0)
    store.set(lost_key(1), "was killed")
    with pytest.raises(RuntimeError, match=r"^its process ended$"):
        Pair(roll_call.awaiting(1), 1, is_server=True, timeout_s=600.0)
    assert (roll_call.here, roll_call.lost) == ([0], {1: "its process ended"})
