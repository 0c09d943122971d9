"""How a run is made; nothing here changes what the plan says."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgeplan.runtime.emulation.modes import NONE as NO_EMULATION
from edgeplan.runtime.emulation.modes import PROCESS
from edgeplan.runtime.learning.privacy.mechanism import PrivacySettings
from edgeplan.runtime.processes.rehearsal import Fault
from edgeplan.runtime.snake.device.schedule import CONSTANT


@dataclass(frozen=True)
class RunSettings(PrivacySettings):
    """Settings of a run, beside those of privacy.

    Parameters
    ----------
    network
        Named network or ``package.module:factory``; None is the name in the instance's model section.
    data
        ``digits``; ``topics``, characters of Python's help; or ``cifar10:FOLDER`` with the binary version
        of CIFAR-10.
    rounds
        How often every node of the plan is visited.
    alpha
        Concentration of the Dirichlet distribution that splits the labels, of text the kinds of topic, over
        the nodes.
    seed
        Seeds first parameters, split and order of samples.
    learning_rate
        Of the optimizer that `optimizer_bytes` of the instance stands for; None is 0.05 for SGD, 0.02 with
        momentum, 0.001 for Adam.
    schedule
        How the learning rate of a visit follows from it, `edgeplan.runtime.snake.device.schedule.SCHEDULES`;
        also in federated averaging.
    distill
        Weight of distillation from the network as it arrived; 0 is none. Federated averaging has none.
    distill_above
        Distance of a node's labels from the whole's, 0 to 1, above which its visits distil.
    temperature
        Of distillation.
    baseline
        ``none``, or ``fedavg`` for federated averaging after the run.
    emulation
        How links, speeds and windows of the instance are imposed: ``kernel``, by namespaces and quotas;
        ``process``, by waiting; ``none``; or ``auto``, the first where it can be had, else the second.
    slower
        With the kernel's emulation, seconds here for a second of the instance; None is as few as this
        machine's processors allow. The report is in seconds of the instance.
    threads
        Threads of one process.
    spares
        Idle nodes, the fastest, that hold images too and can take the place of one that is lost.
    patience_s
        Longest silence of a node before it is taken for lost, in seconds.
    faults
        What is to befall nodes, as a rehearsal.
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

    network: str | None = None
    data: str = "digits"
    rounds: int = 3
    alpha: float = 2.0
    seed: int = 0
    learning_rate: float | None = None
    schedule: str = CONSTANT
    distill: float = 0.0
    distill_above: float = 0.1
    temperature: float = 2.0
    baseline: str = "none"
    emulation: str = PROCESS
    slower: float | None = None
    threads: int = 1
    spares: int = 0
    patience_s: float = 10.0
    faults: tuple[Fault, ...] = ()
    memory_limit: bool = True
    tolerances: dict[str, float] = field(default_factory=dict)
    timeout_s: float | None = None

    @property
    def limits_memory(self) -> bool:
        """Whether nodes are held to their memory."""
        return self.memory_limit and self.emulation != NO_EMULATION
