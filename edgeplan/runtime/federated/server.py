"""The server's process: it sends parameters to the clients of a round, and averages what comes back.

A client that ends or says nothing is left out from then on: the mean is over the updates that have arrived
complete, and weights are divided by their sum.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from torch import Tensor
from torch.distributed import Store  # type: ignore[attr-defined]

from edgeplan.errors import RunError
from edgeplan.models.federated.transfers import downloads_s, uploads_s
from edgeplan.runtime.emulation.modes import KERNEL, NONE, PROCESS
from edgeplan.runtime.emulation.wire import wire_counted
from edgeplan.runtime.federated import occasions
from edgeplan.runtime.federated.averaging import weighted_mean
from edgeplan.runtime.federated.conversation import Answer, Conversation, converse
from edgeplan.runtime.federated.job import LOST, TEST, Job, holds_after
from edgeplan.runtime.federated.pair import Pair
from edgeplan.runtime.federated.presence import Presence
from edgeplan.runtime.federated.probing import probe_from_server
from edgeplan.runtime.federated.roll_call import RollCall
from edgeplan.runtime.learning.checkpoints import keep, recall
from edgeplan.runtime.learning.training import Shard, evaluate
from edgeplan.runtime.learning.workload import assign, fingerprint, flatten
from edgeplan.runtime.processes.journal import Journal
from edgeplan.runtime.processes.records import Event, finite, journal_path, progress_path, write_json
from edgeplan.runtime.processes.rehearsal import AGGREGATE, CHECKPOINT, RECEIVE, SEND
from edgeplan.runtime.processes.status import process_peak_bytes

START_UP, BETWEEN, AFTER = "start-up", "before it began", "after the last round"


@dataclass
class ServerProcess:
    """What the server's process holds.

    Parameters
    ----------
    job
        The run.
    store
        At which all meet.
    presence
        What the process does.
    pairs
        The ways to the clients.
    """

    job: Job
    store: Store
    presence: Presence
    pairs: dict[int, Pair] = field(default_factory=dict)

    def __post_init__(self) -> None:
        job = self.job
        self.workload = job.seeded_workload()
        if job.rounds_made:
            recall(self.workload, job.folder, job.server_rank)
        self.events = Journal(journal_path(job.folder, job.server_rank), holds_after(job.rounds_made))
        self.test = Shard(job.read_samples(TEST), job.upscaled_to)
        self.roll_call = RollCall(self.store, range(job.server_rank), job.timeout_s)
        for event in self._losses():
            self.roll_call.lose(event["rank"], event["reason"])

    def lead(self) -> list[Event]:
        """Lead the run from beginning to end, and return what was seen."""
        self._connect()
        self._start_up()
        with self._rounds_counted():
            for index in range(self.job.rounds_made, self.job.num_rounds):
                self._round(index)
                self._keep(index)
        for event in self._told():
            self.events.append(event)
        self._note_losses(self.job.num_rounds + 1, AFTER)
        self.note("ended", self.job.server_rank, process_peak_bytes=process_peak_bytes())
        self.roll_call.end()
        return [self._with_reason(event) for event in self.events]

    def note(self, kind: str, rank: int, **members: Any) -> None:
        """Keep an event."""
        self.events.append({"event": kind, "rank": rank, **members})

    def _losses(self) -> list[Event]:
        return [event for event in self.events if event["event"] == LOST]

    @property
    def parameters(self) -> list[Any]:
        """All parameters, in the order of the model's layers."""
        return list(self.workload.parameters(self.workload.layers))

    def _connect(self) -> None:
        self.roll_call.meet(occasions.CONNECT)
        for rank in list(self.roll_call.here):
            try:
                self.pairs[rank] = self.roll_call.with_client(rank, partial(self._way_to, rank))
            except RuntimeError as error:
                self._lose(rank, 0, START_UP, error)

    def _way_to(self, rank: int) -> Pair:
        store = self.roll_call.awaiting(rank)
        return Pair(store, rank, is_server=True, timeout_s=self.job.timeout_s)

    def _start_up(self) -> None:
        """Let all clients find their pace at once, then try their links one after another."""
        mode = self.job.settings.emulation
        for occasion in (occasions.CALIBRATE, *([occasions.HOLD] if mode == KERNEL else []), occasions.PROBE):
            self.roll_call.meet(occasion)
        for rank in list(self.roll_call.here) if mode != NONE else ():
            try:
                probing = partial(probe_from_server, self.job, rank, self.pairs[rank])
                achieved = self.roll_call.with_client(rank, probing)
                self.note("probed", rank, way="up", **achieved)
            except RuntimeError as error:
                self._lose(rank, 0, START_UP, error)
        self._note_losses(0, START_UP)

    def _rounds_counted(self) -> AbstractContextManager[None]:
        """Count what every node sends in the meantime: between rounds nobody sends anything."""

        def tell(sent: list[int]) -> None:
            self.note("wired", self.job.server_rank, sent_bytes=sent)

        job = self.job
        return wire_counted(job.folder, emulation=job.settings.emulation, timeout_s=job.timeout_s, tell=tell)

    def _round(self, index: int) -> None:
        ranks = [rank for rank in self.job.ranks(index) if rank in self.roll_call.here]
        everything = flatten(self.parameters)
        answers: dict[int, Answer] = {}
        if ranks:
            answers = self._answers(index, ranks, everything)
        if answers and any(self.job.weight(rank, index) for rank in answers):
            self.presence.begins(AGGREGATE, index + 1)
            weights = [self.job.weight(rank, index) for rank in answers]
            assign(self.parameters, weighted_mean([one.update for one in answers.values()], weights))
        if not self.roll_call.here:
            raise RunError(f"round {index + 1}: no client is left")
        self._score(index)

    def _keep(self, index: int) -> None:
        """Take down what the clients tell of a round, and keep what the next one begins with."""
        for event in list(self.events):
            if event["event"] == "took_part" and event["round"] == index + 1:
                told = self.roll_call.hear(occasions.of_round(index), event["rank"])
                if told is not None:
                    self.note("told", event["rank"], round=index + 1, **told)
        is_last = index + 1 == self.job.num_rounds
        self._note_losses(index + 2, AFTER if is_last else BETWEEN)
        self.presence.begins(CHECKPOINT, index + 1)
        keep(self.workload, (index + 1,), self.job.folder, self.job.server_rank)

    def _answers(self, index: int, ranks: list[int], everything: Tensor) -> dict[int, Answer]:
        """Send parameters to clients, and wait for their updates; return those that are complete, by rank."""
        self.presence.begins(SEND, index + 1)
        origin_s = time.monotonic()
        talk = Conversation(origin_s, everything, self._arrivals_s(ranks, everything.nbytes, origin_s))
        answers: dict[int, Answer] = {}
        pairs = {rank: self.pairs[rank] for rank in ranks}
        for heard, (rank, answer) in enumerate(converse(pairs, talk, self.roll_call.has_ended)):
            if not heard:
                self.presence.begins(RECEIVE, index + 1)
            if isinstance(answer, Answer):
                answers[rank] = answer
            else:
                self._lose(rank, index + 1, answer.when, answer.error)
        answers = dict(sorted(answers.items()))
        self._let_arrive(answers, everything.nbytes, origin_s)
        for rank, answer in answers.items():
            self._note_part(index, rank, answer, origin_s, everything)
        return answers

    def _arrivals_s(self, ranks: list[int], num_bytes: int, origin_s: float) -> dict[int, float]:
        """Moments until which clients have to wait for the parameters, where processes imitate links."""
        if self.job.settings.emulation != PROCESS:
            return dict.fromkeys(ranks, origin_s)
        names = self.job.names
        network, server = self.job.problem.instance.network, self.job.stated.server
        there_s = downloads_s(network, server, [names[rank] for rank in ranks], num_bytes)
        return {rank: origin_s + self.job.slower * there_s[names[rank]] for rank in ranks}

    def _let_arrive(self, answers: dict[int, Answer], num_bytes: int, origin_s: float) -> None:
        """Where processes imitate links, let updates arrive when the links would have carried them."""
        if self.job.settings.emulation != PROCESS:
            return
        names, slower = self.job.names, self.job.slower
        network, server = self.job.problem.instance.network, self.job.stated.server
        begins_s = {names[rank]: (one.trained_s - origin_s) / slower for rank, one in answers.items()}
        ends_s = uploads_s(network, server, begins_s, num_bytes)
        for rank, answer in answers.items():
            answer.arrived_s = max(answer.arrived_s, origin_s + slower * ends_s[names[rank]])
        last_s = max((one.arrived_s for one in answers.values()), default=origin_s)
        time.sleep(max(0.0, last_s - time.monotonic()))

    def _note_part(self, index: int, rank: int, answer: Answer, origin_s: float, everything: Tensor) -> None:
        def since_s(moment_s: float) -> float:
            return (moment_s - origin_s) / self.job.slower

        self.note(
            "took_part",
            rank,
            round=index + 1,
            received_s=since_s(answer.received_s),
            start_s=since_s(answer.start_s),
            trained_s=since_s(answer.trained_s),
            end_s=since_s(answer.arrived_s),
            loss=finite(answer.loss),
            window_missed=answer.window_missed,
            sent_bytes=everything.nbytes,
            sent=fingerprint([everything]),
            received_bytes=answer.update.nbytes,
            received=fingerprint([answer.update]),
        )

    def _score(self, index: int) -> None:
        score = evaluate(self.workload.module, self.test)
        figures = {"round": index + 1, "loss": finite(score.loss), "accuracy": score.accuracy}
        self.note("scored", self.job.server_rank, **figures)
        progress = {"event": "scored", "phase": "fedavg", "rounds": self.job.num_rounds} | figures
        write_json(progress_path(self.job.folder), progress)

    def _lose(self, rank: int, number: int, when: str, error: RuntimeError) -> None:
        self.roll_call.settle(rank, self.job.settings.patience_s)
        reason = str(error).splitlines()[0]
        self.roll_call.lose(rank, f"no exchange with it: {reason}")
        self._note_loss(rank, number, when)

    def _note_loss(self, rank: int, number: int, when: str) -> None:
        self.note(LOST, rank, round=number, when=when, reason=self.roll_call.lost[rank])

    def _note_losses(self, number: int, when: str) -> None:
        """Keep what roll calls have found."""
        known = {event["rank"] for event in self._losses()}
        for rank in self.roll_call.lost:
            if rank not in known:
                self._note_loss(rank, number, when)

    def _with_reason(self, event: Event) -> Event:
        """Return an event; what the supervisor knows of a loss by now takes the place of what was guessed."""
        return event | {"reason": self.roll_call.lost[event["rank"]]} if event["event"] == LOST else event

    def _told(self) -> Iterator[Event]:
        """Yield what the clients have left for the server, apart from the rounds."""
        named = {
            "calibrated": occasions.CALIBRATE,
            "held": occasions.HOLD,
            "measured": occasions.MEMORY,
            "probed": occasions.PROBE,
            "ended": occasions.ENDED,
        }
        mode = self.job.settings.emulation
        left_out = {"held"} if mode == PROCESS else {"held", "probed"} if mode == NONE else set()
        for rank in range(self.job.server_rank):
            for kind, occasion in named.items():
                told = None if kind in left_out else self.roll_call.hear(occasion, rank)
                if told is not None:
                    yield {"event": kind, "rank": rank} | ({"way": "down"} if kind == "probed" else {}) | told
