"""Split learning (Gupta and Raskar, JNCA 2018, arXiv 1810.06060): clients before one cut, a server behind it.

The client whose turn it is computes the first layers, hands activations and labels to the server, takes the
gradient of the activations back, and after its local steps hands its layers on to the next client. That is
one network trained on one client's batches after another, and it is computed so, in one process; both sides
compute apart, so that what each must hold can be counted. Activations and gradients travel as float32, a
label as one byte. The server's optimizer keeps its state; a client's begins anew with its turn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edgeplan.runtime.learning.memory import MEASURED_STEPS, LiveTensors
from edgeplan.runtime.learning.objective import cross_entropy
from edgeplan.runtime.learning.training import Batch

OptimizerOf = Callable[[list[nn.Parameter]], torch.optim.Optimizer | None]


@dataclass(frozen=True)
class SplitNetwork:
    """A chain of modules, cut in two that share their parameters with the whole."""

    client: nn.Sequential
    server: nn.Sequential

    @classmethod
    def cut(cls, module: nn.Module, num_units: int) -> SplitNetwork:
        """Give the client the first units of a chain.

        Examples
        --------
        >>> chain = nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), nn.Linear(2, 1))
        >>> len(SplitNetwork.cut(chain, 2).client), len(SplitNetwork.cut(chain, 2).server)
        (2, 1)
        """
        chain = units(module)
        return cls(nn.Sequential(*chain[:num_units]), nn.Sequential(*chain[num_units:]))

    @property
    def handed_on_bytes(self) -> int:
        """Bytes of the client's layers."""
        return sum(parameter.nbytes for parameter in self.client.parameters())

    def step(self, batch: Batch, optimizers: Sequence[torch.optim.Optimizer | None]) -> int:
        """Train both sides on a batch and return the bytes that travelled."""
        inputs, targets = batch
        sent = self.client(inputs)
        received = sent.detach().requires_grad_()
        cross_entropy(self.server, received, targets).backward()  # type: ignore[no-untyped-call]
        assert received.grad is not None
        sent.backward(received.grad)
        _take_step(optimizers)
        return int(sent.nbytes + received.grad.nbytes + targets.numel())

    def client_peak_bytes(self, batches: Sequence[Batch], optimizer_of: OptimizerOf) -> int:
        """Count what a client holds in its first steps, as `peak_of_training` does; this trains it."""
        optimizer = optimizer_of(list(self.client.parameters()))
        with LiveTensors([*self.client.parameters(), *batches[0]]) as live:
            for inputs, _ in batches[:MEASURED_STEPS]:
                sent = self.client(inputs)
                sent.backward(torch.ones_like(sent))
                del sent
                _take_step([optimizer])
        return int(live.peak_bytes)

    def server_peak_bytes(self, batches: Sequence[Batch], optimizer_of: OptimizerOf) -> int:
        """Count what the server holds in its first steps; this trains it."""
        optimizer = optimizer_of(list(self.server.parameters()))
        received = [self._received(inputs) for inputs, _ in batches[:MEASURED_STEPS]]
        with LiveTensors([*self.server.parameters(), received[0], batches[0][1]]) as live:
            for activations, (_, targets) in zip(received, batches, strict=False):
                cross_entropy(self.server, activations, targets).backward()  # type: ignore[no-untyped-call]
                _take_step([optimizer])
        return int(live.peak_bytes)

    def _received(self, inputs: Tensor) -> Tensor:
        with torch.no_grad():
            sent: Tensor = self.client(inputs)
        return sent.requires_grad_()


def _take_step(optimizers: Sequence[torch.optim.Optimizer | None]) -> None:
    for optimizer in optimizers:
        assert optimizer is not None
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)


def units(module: nn.Module) -> list[nn.Module]:
    """Return the modules of a chain in order, chains within it unrolled."""
    if type(module) is not nn.Sequential:
        return [module]
    return [unit for child in module for unit in units(child)]
