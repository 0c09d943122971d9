"""How a run is made; nothing here changes what the plan says."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgeplan.runtime.emulation.modes import PROCESS
from edgeplan.runtime.processes.rehearsal import Fault
from edgeplan.runtime.settings import JobSettings


@dataclass(frozen=True)
class RunSettings(JobSettings):
    """Settings of a run.

    Parameters
    ----------
    network
        Named network or ``package.module:factory``; None is the name in the instance's model section.
    rounds
        Slots of the plan that are executed, from the first; None is all of them, 3 at most.
    seed
        Seeds first parameters and the samples of every slot.
    learning_rate
        Of the optimizer that `optimizer_bytes` of the instance stands for; None is 0.05 for SGD, 0.02 with
        momentum, 0.001 for Adam.
    emulation
        How links and speeds of the instance are imposed: ``kernel``, by namespaces and quotas; ``process``,
        by waiting; ``none``; or ``auto``, the first of kernel and process that works.
    slower
        Seconds here for a second of the instance; None is as few as this machine's processors allow. The
        report is in seconds of the instance.
    threads
        Threads of one process.
    patience_s
        Longest silence of a participant before it is taken for lost, in seconds.
    faults
        What is to befall participants, as a rehearsal.
    tolerances
        By `edgeplan.runtime.report.deviations.NAMES`, how far from its prediction a run may be and pass.
    timeout_s
        Longest wait for another process, in seconds; None follows from the plan's time.

    Examples
    --------
    >>> RunSettings.from_document(RunSettings(rounds=2).to_document()).rounds
    2
    """

    network: str | None = None
    rounds: int | None = None
    seed: int = 0
    learning_rate: float | None = None
    emulation: str = PROCESS
    slower: float | None = None
    threads: int = 1
    patience_s: float = 10.0
    faults: tuple[Fault, ...] = ()
    tolerances: dict[str, float] = field(default_factory=dict)
    timeout_s: float | None = None
