"""How exact the links of a run are: each is tried before the first round, one after another."""

from __future__ import annotations

import time
from functools import partial

import torch

from edgeplan.runtime.emulation.links import Shape
from edgeplan.runtime.emulation.modes import PROCESS
from edgeplan.runtime.emulation.probing import probe
from edgeplan.runtime.federated import occasions
from edgeplan.runtime.federated.job import Job
from edgeplan.runtime.federated.pair import Pair, packed
from edgeplan.runtime.federated.roll_call import Attendance


def probe_from_client(job: Job, rank: int, pair: Pair, attendance: Attendance) -> None:
    """Try the link to a client and back, in the client's process, and tell of the first."""
    down, up = job.links.between(job.server_rank, rank), job.links.between(rank, job.server_rank)
    achieved = probe(partial(_take, pair, job, down), down)
    probe(partial(_give, pair), up)
    attendance.tell(occasions.PROBE, achieved)


def probe_from_server(job: Job, rank: int, pair: Pair) -> dict[str, float]:
    """Try the link to a client and back, in the server's process, and return what the way back achieved."""
    down, up = job.links.between(job.server_rank, rank), job.links.between(rank, job.server_rank)
    probe(partial(_give, pair), down)
    return probe(partial(_take, pair, job, up), up)


def _give(pair: Pair, num_bytes: int) -> float:
    ended = pair.expect(0)
    pair.send(packed([time.monotonic()], torch.zeros(num_bytes // 4)))
    ended.wait()  # nothing else is under way when the next begins
    return 0.0


def _take(pair: Pair, job: Job, shape: Shape, num_bytes: int) -> float:
    (sent_s, *_), values = pair.expect(num_bytes // 4).wait()
    if job.settings.emulation == PROCESS:
        time.sleep(max(0.0, sent_s + job.slower * shape.transfer_s(values.nbytes) - time.monotonic()))
    lasted_s = (time.monotonic() - sent_s) / job.slower
    pair.send(packed([], torch.empty(0)))
    return lasted_s
