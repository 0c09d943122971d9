"""How a run is made; nothing here changes what the plan says."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgeplan.runtime.emulation.modes import NONE as NO_EMULATION
from edgeplan.runtime.emulation.modes import PROCESS
from edgeplan.runtime.processes.rehearsal import Fault
from edgeplan.runtime.settings import JobSettings
from edgeplan.runtime.sparse.execution.exchange.ways import EMULATED

DENSE, NONE = "dense", "none"


@dataclass(frozen=True)
class RunSettings(JobSettings):
    """Settings of a run.

    Parameters
    ----------
    rounds
        Aggregations.
    local_steps
        Steps of every device before each of them.
    seed
        Where in its endless stream of shuffled images each device begins; what is trained has its seed in
        the instance.
    collectives
        ``emulated`` as messages on the instance's network, or ``gloo`` by torch.distributed.
    emulation
        How the instance's network and speeds are imposed: ``kernel``, by namespaces and quotas; ``process``,
        by waiting, the network alone; ``none``; or ``auto``, the first of kernel and process that works.
    slower
        With the kernel's emulation, seconds here for a second of the instance; None is as few as this
        machine's processors allow. The report is in seconds of the instance.
    baseline
        ``dense`` for dense data parallelism after the run, or ``none``.
    score_every
        Rounds from one score on the held-out images to the next; the last round has one in any case.
    threads
        Threads of one process.
    patience_s
        Longest silence of a device before it is taken for lost, in seconds.
    faults
        What is to befall devices, as a rehearsal.
    memory_limit
        Whether a step that takes more memory than its node has ends the run; never with emulation none.
    tolerances
        By `edgeplan.runtime.report.deviations.NAMES`, how far from its prediction a run may be and pass.
    timeout_s
        Longest wait for another process, in seconds; None follows from the plan's time.

    Examples
    --------
    >>> RunSettings.from_document(RunSettings(rounds=2).to_document()).rounds
    2
    """

    rounds: int = 30
    local_steps: int = 1
    seed: int = 0
    collectives: str = EMULATED
    emulation: str = PROCESS
    slower: float | None = None
    baseline: str = DENSE
    score_every: int = 5
    threads: int = 1
    patience_s: float = 10.0
    faults: tuple[Fault, ...] = ()
    memory_limit: bool = True
    tolerances: dict[str, float] = field(default_factory=dict)
    timeout_s: float | None = None

    @property
    def limits_memory(self) -> bool:
        """Whether nodes are held to their memory."""
        return self.memory_limit and self.emulation != NO_EMULATION
