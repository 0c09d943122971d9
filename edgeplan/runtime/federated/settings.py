"""How a run of a schedule is made; nothing here changes what the schedule says."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgeplan.runtime.emulation.modes import PROCESS
from edgeplan.runtime.learning.privacy.mechanism import PrivacySettings
from edgeplan.runtime.processes.rehearsal import Fault


@dataclass(frozen=True)
class RunSettings(PrivacySettings):
    """Settings of a run, beside those of privacy.

    Parameters
    ----------
    network
        Named network or ``package.module:factory``; None is the name in the instance's model section.
    data
        ``digits``, or ``cifar10:FOLDER`` with the binary version of CIFAR-10.
    alpha
        Concentration of the Dirichlet distribution that splits the labels over the clients.
    seed
        Seeds first parameters, split and order of samples.
    learning_rate
        Of the optimizer that `optimizer_bytes` of the instance stands for; None is 0.05 for SGD, 0.02 with
        momentum, 0.001 for Adam.
    emulation
        How links, speeds and windows of the instance are imposed: ``kernel``, by namespaces and quotas;
        ``process``, by waiting; ``none``; or ``auto``, the first where it can be had, else the second.
    slower
        Seconds here for a second of the instance, where it is emulated; None is as few as this machine's
        processors allow, for clients train at once. The report is in seconds of the instance.
    threads
        Threads of one process.
    tolerances
        By `edgeplan.runtime.report.deviations.NAMES`, how far from its prediction a run may be and pass.
    patience_s
        Longest silence of a client, or of the server, before it is taken for lost, in seconds.
    faults
        What is to befall them, as a rehearsal.
    timeout_s
        How long the server waits for a client that says nothing before it goes on without it, in seconds;
        None follows from the schedule.

    Examples
    --------
    >>> RunSettings.from_document(RunSettings(seed=2).to_document()).seed
    2
    """

    network: str | None = None
    data: str = "digits"
    alpha: float = 2.0
    seed: int = 0
    learning_rate: float | None = None
    emulation: str = PROCESS
    slower: float | None = None
    threads: int = 1
    tolerances: dict[str, float] = field(default_factory=dict)
    patience_s: float = 10.0
    faults: tuple[Fault, ...] = ()
    timeout_s: float | None = None
