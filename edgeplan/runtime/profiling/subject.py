"""What is profiled: a network known by name, a factory in a user's file, or a module at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import nn

from edgeplan.errors import UsageError
from edgeplan.runtime.profiling import named
from edgeplan.runtime.profiling.inputs import InputOptions, InputSpec, input_specs
from edgeplan.runtime.profiling.user_module import FAULTS, last_line, make


@dataclass(frozen=True)
class Subject:
    """A network that can be made, and one sample of its input."""

    name: str
    factory: Callable[[], nn.Module]
    inputs: tuple[InputSpec, ...]
    is_named: bool = False
    batch_size: int = 8
    """For a measurement."""

    def describe(self) -> nn.Module:
        """Make the network for looking at: a known one without allocating its weights."""
        if not self.is_named:
            return self.factory()
        with torch.device("meta"):
            return self.factory()

    def allocate(self, seed: int = 0) -> nn.Module:
        """Make the network with real weights, the same ones for the same seed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.factory()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Tell a failure of the network in one line, with what it was fed."""
        if not self.inputs:
            raise UsageError(f"{self.name}: needs the shape of one sample, such as --input-shape 3,32,32")
        try:
            yield
        except FAULTS as error:
            fed = ", ".join(map(str, self.inputs))
            raise UsageError(f"{self.name}: running it on {fed} fails: {last_line(error)}") from error


def find_subject(network: str | nn.Module, options: InputOptions) -> Subject:
    """Find the network and what it reads.

    Raises
    ------
    UsageError
        When there is no such network, or the options do not fit it.
    """
    known = named.find(network) if isinstance(network, str) else None
    if known is not None:
        return _named_subject(*known, options)
    if options.sequence_length is not None:
        raise UsageError("a sequence length is only for a language model known by name; give the input shape")
    name, factory = _factory(network)
    return Subject(name, factory, input_specs(options))


def _named_subject(name: str, network: named.NamedNetwork, options: InputOptions) -> Subject:
    if options.sequence_length is not None:
        _check_sequence_length(name, network, options)
    own = network.inputs(options.sequence_length)
    given = replace(options, shapes=options.shapes or own.shapes, dtypes=options.dtypes or own.dtypes)
    inputs = input_specs(given)
    return Subject(name, network.factory, inputs, is_named=True, batch_size=network.measure_batch_size)


def _check_sequence_length(name: str, network: named.NamedNetwork, options: InputOptions) -> None:
    if network.sequence_length is None:
        raise UsageError(f"{name}: reads images and takes no sequence length")
    if options.shapes:
        raise UsageError(f"{name}: takes a sequence length or an input shape, not both")
    if options.sequence_length is not None and options.sequence_length < 1:
        raise UsageError(f"sequence length {options.sequence_length}: must be at least 1")


def _factory(network: str | nn.Module) -> tuple[str, Callable[[], nn.Module]]:
    if isinstance(network, nn.Module):
        return type(network).__name__, lambda: network
    if ":" not in network:
        known = ", ".join(named.NAMED_NETWORKS)
        raise UsageError(f"unknown network {network!r}: must be one of {known}, or package.module:factory")
    return network, lambda: make(network)
