"""What a visit minimises: cross entropy, and where a node's labels are unlike the others' a teacher's word.

The teacher is the network as it arrived (Hinton et al., arXiv 1503.02531, and Li and Hoiem, arXiv 1606.09282,
who let a network be its own teacher against forgetting). What is trained keeps close to it on the node's own
batches, so that a node which knows few labels does not unlearn the others.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional


class Objective(Protocol):
    """Returns the loss of a network on a batch."""

    def __call__(self, module: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        """Compute the loss, mean over the targets."""


def cross_entropy(module: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean cross entropy of a label for each sample, or of a character for each place."""
    return _cross_entropy(module(inputs), targets)


def _cross_entropy(scores: Tensor, targets: Tensor) -> Tensor:
    return functional.cross_entropy(scores.flatten(0, -2), targets.flatten())


class Distilling:
    """Cross entropy + weight x temperature^2 x KL(teacher || student), in equation (4)'s terms one more copy.

    Only what is trained is copied, `weight_bytes` for each trained parameter: the rest of the teacher is the
    node's own network. The teacher's answers to all batches of a visit could be kept instead, but they grow
    with the local steps, and for text they are larger. A step takes one more pass forward.

    Parameters
    ----------
    module
        The network as it arrived; gradients are required of what will be trained.
    weight
        Of the teacher's word beside cross entropy.
    temperature
        What both networks' scores are divided by.

    Examples
    --------
    >>> network = nn.Linear(2, 3)
    >>> batch = torch.ones(4, 2), torch.zeros(4, dtype=torch.long)
    >>> taught = Distilling(network, weight=1.0, temperature=2.0)(network, *batch)
    >>> torch.allclose(taught, cross_entropy(network, *batch))
    True
    """

    def __init__(self, module: nn.Module, weight: float, temperature: float) -> None:
        self.weight = weight
        self.temperature = temperature
        self._teacher = {
            name: parameter.detach().clone()
            for name, parameter in module.named_parameters()
            if parameter.requires_grad
        }

    def __call__(self, module: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        """Compute the loss, mean over the targets."""
        taught = self._answer(module, inputs)
        scores = module(inputs)
        student = functional.log_softmax(scores.flatten(0, -2) / self.temperature, dim=-1)
        apart = functional.kl_div(student, taught, reduction="batchmean", log_target=True)
        return _cross_entropy(scores, targets) + self.weight * self.temperature**2 * apart

    def _answer(self, module: nn.Module, inputs: Tensor) -> Tensor:
        """Let the teacher answer as in use: nothing drawn, no running statistics changed."""
        module.eval()
        with torch.no_grad():
            scores = functional_call(module, self._teacher, (inputs,))
            module.train()
            return functional.log_softmax(scores.flatten(0, -2) / self.temperature, dim=-1)
