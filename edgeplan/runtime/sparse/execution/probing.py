"""How exact the links of a run are: one from every device is tried before the first round."""

from __future__ import annotations

from functools import partial

import torch

from edgeplan.runtime.emulation.probing import probe
from edgeplan.runtime.processes.clock import now_s
from edgeplan.runtime.sparse.execution.device.process import DeviceProcess
from edgeplan.runtime.sparse.execution.exchange.link import STAMP_ELEMENTS, GlooLink, of_moment, to_moment


def probe_links(device: DeviceProcess) -> None:
    """Try the links from every device to the next, one after another."""
    for source, target in device.job.hops:
        device.meeting.wait()
        link, shape = device.link(), device.job.links.between(source, target)
        if device.rank == source:
            probe(partial(_give, link, target), shape)
        elif device.rank == target:
            achieved = probe(partial(_take, link, source, device.job.slower), shape)
            device.note("probed", source=source, target=target, **achieved)


def _give(link: GlooLink, target: int, num_bytes: int) -> float:
    link.send(torch.cat([of_moment(now_s()), torch.zeros(num_bytes // 4)]), target)
    link.receive(0, target)  # nothing else is under way when the next begins
    link.finish()
    return 0.0


def _take(link: GlooLink, source: int, slower: float, num_bytes: int) -> float:
    values = link.receive(STAMP_ELEMENTS + num_bytes // 4, source)
    lasted_s = now_s() - to_moment(values)
    link.send(torch.empty(0), source)
    link.finish()
    return lasted_s / slower
