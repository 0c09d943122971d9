"""What one stage needs, whatever the schedule: the layers to assign, bytes per parameter, timings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from edgeplan.models.layer_assignment.instance import LayerAssignmentInstance
from edgeplan.models.network import Node, Timing
from edgeplan.models.numbers import exactly


@dataclass(frozen=True)
class StageFigures(ABC):
    """Memory and compute time of single stages; layers are given by their indices.

    Parameters
    ----------
    instance
        A valid instance.
    """

    instance: LayerAssignmentInstance

    @abstractmethod
    def memory_bytes(self, own_layers: Sequence[int], stages_to_end: int = 1) -> int:
        """Memory of a stage, rounded up to a whole byte.

        Parameters
        ----------
        stages_to_end
            Stages from this one to the last, itself included; it matters to a pipeline alone.
        """

    @abstractmethod
    def compute_s(self, node: Node, own_layers: Sequence[int]) -> float:
        """Seconds in which `node` computes one visit (serial) or one micro-batch (pipeline)."""

    @cached_property
    def shared(self) -> tuple[int, ...]:
        """Indices of H, in model order."""
        names = set(self.instance.shared_layers)
        return tuple(index for index, layer in enumerate(self.instance.model.layers) if layer.name in names)

    @cached_property
    def own(self) -> tuple[int, ...]:
        """Indices of R, in model order."""
        return tuple(sorted(set(range(len(self.instance.model.layers))) - set(self.shared)))

    @cached_property
    def weight_bytes(self) -> Fraction:
        """Bytes of a trained weight, w."""
        return exactly(self.instance.training.weight_bytes)

    @cached_property
    def gradient_bytes(self) -> Fraction:
        """Bytes of a trained weight's gradient, g."""
        return exactly(self.instance.training.gradient_bytes)

    @cached_property
    def trained_weight_bytes(self) -> Fraction:
        """Bytes of a trained weight with gradient and optimizer state, w + g + o."""
        return self.weight_bytes + self.gradient_bytes + exactly(self.instance.training.optimizer_bytes)

    def parameters(self, layers: Iterable[int]) -> int:
        """Parameters of the layers together."""
        return sum(self.instance.model.layers[index].parameters for index in layers)

    def timings(self, node: Node) -> list[Timing] | None:
        """Measured times of every layer on the node's type, or None."""
        if "type" not in node.model_fields_set or node.type not in self.instance.network.timings:
            return None
        of_layer = self.instance.network.timings[node.type]
        return [of_layer[layer.name] for layer in self.instance.model.layers]
