"""A network with real weights on this machine, refused when they would not fit."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from edgeplan.errors import UsageError
from edgeplan.runtime.profiling.inputs import InputOptions
from edgeplan.runtime.profiling.subject import find_subject

MEMORY_FILE = Path("/proc/meminfo")


def build(network: str | nn.Module, *, seed: int = 0) -> nn.Module:
    """Make a network with real weights on the CPU, in training mode.

    Parameters
    ----------
    network
        A key of ``NAMED_NETWORKS``, ``package.module:factory``, or a module, which is returned as it is.
    seed
        Of the initial weights; the state of PyTorch's own generator is left alone.

    Raises
    ------
    UsageError
        When there is no such network, or its parameters need more than the free memory.

    Examples
    --------
    >>> build("small-vgg").get_submodule("classifier")
    Linear(in_features=256, out_features=10, bias=True)
    """
    if isinstance(network, nn.Module):
        return network
    subject = find_subject(network, InputOptions())
    if subject.is_named:
        refuse_if_too_large(subject.name, parameter_bytes(subject.describe()))
    return subject.allocate(seed).train()


def refuse_if_too_large(name: str, need_bytes: int) -> None:
    """Refuse what would take more than the free memory.

    Raises
    ------
    UsageError
        When it would.
    """
    free_bytes = free_memory_bytes()
    if free_bytes is not None and need_bytes > free_bytes:
        raise UsageError(
            f"{name}: its parameters (and their gradients, to train it) need {need_bytes / 2**30:.1f} GiB, "
            f"and {free_bytes / 2**30:.1f} GiB are free; take a smaller network or a larger machine"
        )


def parameter_bytes(module: nn.Module) -> int:
    """Bytes of the parameters, shared ones once."""
    return sum(parameter.numel() * parameter.element_size() for parameter in module.parameters())


def free_memory_bytes() -> int | None:
    """Memory that can be taken without swapping; None where the system does not tell."""
    if not MEMORY_FILE.exists():
        return None
    fields = dict(line.split(":") for line in MEMORY_FILE.read_text().splitlines())
    return int(fields["MemAvailable"].split()[0]) * 1024
