"""The network of a process: its layers by name, their parameters, and which of them train."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from edgeplan.runtime.profiling import build, cut

MOMENTUM = 0.9
DEFAULT_LEARNING_RATE = {0: 0.05, 4: 0.02, 8: 0.001}
OPTIMIZER_NAME = {0: "SGD", 4: "SGD with momentum", 8: "Adam"}


class Workload:
    """A network cut into the layers of the instance.

    Parameters
    ----------
    module
        The network.
    order
        Names of its layers, as the instance has them; None is the order of registration.
    """

    def __init__(self, module: nn.Module, order: Sequence[str] | None = None) -> None:
        self.module = module
        self.layers: dict[str, tuple[nn.Parameter, ...]] = {
            layer.name: layer.parameters for layer in cut(module, order)
        }

    @classmethod
    def seeded(cls, network: str, seed: int, order: Sequence[str] | None = None) -> Workload:
        """Build a named network, the same one in every process that uses this seed."""
        return cls(build(network, seed=seed), order)

    def copy(self) -> Workload:
        """Return a workload with parameters of its own."""
        return Workload(copy.deepcopy(self.module), list(self.layers))

    def parameters(self, layers: Iterable[str]) -> list[nn.Parameter]:
        """Return the parameters of some layers, in the order given."""
        return [parameter for name in layers for parameter in self.layers[name]]

    def others(self, layers: Iterable[str]) -> list[str]:
        """Return the names of the layers that are not among `layers`."""
        left_out = set(layers)
        return [name for name in self.layers if name not in left_out]

    def train_only(self, layers: Iterable[str]) -> list[nn.Parameter]:
        """Freeze everything but these layers, so that autograd drops the frozen prefix."""
        self.module.requires_grad_(False)
        self.module.zero_grad(set_to_none=True)
        self.module.train()
        trained = self.parameters(layers)
        for parameter in trained:
            parameter.requires_grad_(True)
        return trained


def optimizer_for(
    parameters: Sequence[nn.Parameter],
    optimizer_bytes: float,
    learning_rate: float | None,
    rate_share: float = 1.0,
) -> torch.optim.Optimizer | None:
    """Return the optimizer whose state takes `optimizer_bytes` a parameter; None with nothing to train.

    It updates in one pass over memory, and has nothing at hand beside its state.
    """
    if not parameters:
        return None
    rate = DEFAULT_LEARNING_RATE[int(optimizer_bytes)] if learning_rate is None else learning_rate
    rate *= rate_share
    if optimizer_bytes == 8:
        return torch.optim.Adam(parameters, lr=rate, fused=True)
    momentum = MOMENTUM if optimizer_bytes == 4 else 0.0
    return torch.optim.SGD(parameters, lr=rate, momentum=momentum, fused=True)


def flatten(parameters: Sequence[Tensor]) -> Tensor:
    """Copy parameters into one float32 vector."""
    if not parameters:
        return torch.empty(0)
    return torch.cat([parameter.detach().reshape(-1) for parameter in parameters])


def num_elements(parameters: Iterable[Tensor]) -> int:
    """Count the elements of all parameters."""
    return sum(parameter.numel() for parameter in parameters)


def assign(parameters: Sequence[Tensor], flat: Tensor) -> None:
    """Copy one vector back into parameters.

    Examples
    --------
    >>> weight = torch.zeros(2, 2)
    >>> assign([weight], flatten([torch.eye(2)]))
    >>> weight.tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    start = 0
    with torch.no_grad():
        for parameter in parameters:
            end = start + parameter.numel()
            parameter.copy_(flat[start:end].view_as(parameter))
            start = end


def fingerprint(parameters: Sequence[Tensor]) -> str:
    """Hash the raw bytes of parameters, so that equal means bit-identical."""
    digest = hashlib.sha256()
    for parameter in parameters:
        digest.update(parameter.detach().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
