"""A client's process: it trains what it receives, and sends it back, in the rounds that it takes part in."""

from __future__ import annotations

import time

from torch.distributed import Store  # type: ignore[attr-defined]

from edgeplan.errors import RunError
from edgeplan.models.federated import Client
from edgeplan.models.layer_assignment.serial import earliest_start_s
from edgeplan.runtime.emulation.holding import held
from edgeplan.runtime.emulation.modes import KERNEL, NONE, PROCESS
from edgeplan.runtime.emulation.pace import MACHINE, Pace, Stretched
from edgeplan.runtime.emulation.quotas import own_group
from edgeplan.runtime.federated import occasions
from edgeplan.runtime.federated.job import Job
from edgeplan.runtime.federated.pair import Arriving, Pair, packed
from edgeplan.runtime.federated.presence import Presence
from edgeplan.runtime.federated.probing import probe_from_client
from edgeplan.runtime.federated.roll_call import Attendance
from edgeplan.runtime.federated.trainee import Trainee
from edgeplan.runtime.learning.calibration import slowdown_of
from edgeplan.runtime.learning.workload import assign, fingerprint, flatten, num_elements
from edgeplan.runtime.processes.rehearsal import COMPUTE, RECEIVE, SEND
from edgeplan.runtime.processes.status import process_peak_bytes


class ClientProcess:
    """What a client's process holds.

    Parameters
    ----------
    job
        The run.
    presence
        Which client this is, and what it does.
    store
        At which all meet.
    """

    def __init__(self, job: Job, presence: Presence, store: Store) -> None:
        self.job, self.presence, self.rank = job, presence, presence.rank
        self.trainee = Trainee.of(job, self.rank)
        self.attendance = Attendance(store, self.rank)
        self.pace: Pace = MACHINE
        self.attendance.meet(occasions.CONNECT)
        self.pair = Pair(store, self.rank, is_server=False, timeout_s=job.client_timeout_s)

    def take_part(self) -> None:
        """Play this client's part from beginning to end."""
        self._calibrate()
        self.attendance.tell(occasions.MEMORY, self.trainee.memory())
        self.attendance.meet(occasions.PROBE)
        try:
            if self.job.settings.emulation != NONE:
                probe_from_client(self.job, self.rank, self.pair, self.attendance)
            self._play_rounds()
        except RuntimeError as error:
            raise RunError(f"no exchange with the server: {error}") from error
        self.attendance.tell(occasions.ENDED, {"process_peak_bytes": process_peak_bytes()})
        self.attendance.wait_for_end()

    def _calibrate(self) -> None:
        """Find the pace at which this node trains, while all others do the same."""
        self.attendance.meet(occasions.CALIBRATE)
        free = self.trainee.time_full_step()
        figures = {"processor_s": free.processor_s, "fixed_share": self.trainee.fixed_share(free)}
        self.attendance.tell(occasions.CALIBRATE, figures)
        slowdown = self.job.slower * slowdown_of(
            self.job.problem, self.job.names[self.rank], free.processor_s
        )
        if self.job.settings.emulation == PROCESS:
            self.pace = Stretched(slowdown)
        elif self.job.settings.emulation == KERNEL:
            wanted_s = slowdown * free.processor_s
            self.attendance.meet(occasions.HOLD)
            holding = held(
                own_group(),
                lambda pace: self.trainee.time_full_step(pace, step_s=wanted_s),
                free=free,
                wanted_s=wanted_s,
            )
            self.pace = holding.pace
            self.attendance.tell(occasions.HOLD, holding.to_document(self.job.slower))

    def _play_rounds(self) -> None:
        left = range(self.job.rounds_made, self.job.num_rounds)
        parts = [(index, self.job.part(self.rank, index)) for index in left]
        taken = [(index, part) for index, part in parts if part is not None]
        if not taken:
            return
        arriving = self._expect()
        for position, (index, part) in enumerate(taken):
            following = position + 1 < len(taken)
            arriving = self._play(index, part, arriving, following=following)

    def _expect(self) -> Arriving:
        return self.pair.expect(num_elements(self.trainee.workload.parameters(self.trainee.workload.layers)))

    def _play(self, index: int, part: Client, arriving: Arriving, *, following: bool) -> Arriving:
        """Take part in a round; return the message of the next one that it takes part in."""
        self.presence.begins(RECEIVE, index + 1)
        (origin_s, arrival_s, *_), received = arriving.wait()
        time.sleep(max(0.0, arrival_s - time.monotonic()))
        received_s = time.monotonic()
        parameters = self.trainee.workload.parameters(self.trainee.workload.layers)
        assign(parameters, received)
        missed = self._wait_for_window(part, origin_s)
        self.presence.begins(COMPUTE, index + 1)
        start_s = time.monotonic()
        with self.pace.kept():
            loss = self.trainee.train(part, index, self.pace)
        trained_s = time.monotonic()
        update = flatten(parameters)
        if following:
            arriving = self._expect()
        self.presence.begins(SEND, index + 1)
        self.pair.send(packed([received_s, start_s, trained_s, loss, missed], update))
        told = {
            "received_bytes": received.nbytes,
            "received": fingerprint([received]),
            "sent_bytes": update.nbytes,
            "sent": fingerprint([update]),
        }
        self.attendance.tell(occasions.of_round(index), told)
        return arriving

    def _wait_for_window(self, part: Client, origin_s: float) -> bool:
        """Wait for the window that the predicted compute time fits; True if none is left."""
        if self.job.settings.emulation == NONE:
            return False
        network, slower = self.job.problem.instance.network, self.job.slower
        node = network.nodes[network.index_of[part.node]]
        now_s = (time.monotonic() - origin_s) / slower
        start_s = earliest_start_s(node, now_s, self.job.stated.compute_s(part))
        if start_s is not None:
            time.sleep(max(0.0, origin_s + slower * start_s - time.monotonic()))
        return start_s is None
