"""What training each part of a network brings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from edgeplan.runtime.sparse.layers import TrainableLayer
from edgeplan.runtime.sparse.workload.importance import Importance

TOTAL = 100.0
"""What all weights and biases together bring, after scaling."""


@dataclass(frozen=True)
class Contributions:
    """Contributions of weights by layer and ratio, and of biases by depth.

    Examples
    --------
    >>> raw = Contributions({"a": {0.5: 1.0, 1.0: 3.0}}, (0.0, 1.0), told={"by": "hand"})
    >>> raw.scaled().weights
    {'a': {0.5: 25.0, 1.0: 75.0}}
    """

    weights: Mapping[str, Mapping[float, float]]
    """Of each layer at each ratio, at least 0."""
    depths: tuple[float, ...]
    """Of the biases of the last 0, 1, ... layers."""
    told: Mapping[str, object]
    """Where they come from, for the notes of an instance."""

    def scaled(self) -> Contributions:
        """Scale them so that the largest ratios and all biases bring 100 together."""
        total = self.depths[-1] + sum(ratios[max(ratios)] for ratios in self.weights.values())
        factor = TOTAL / total if total > 0 else 1.0
        return Contributions(
            {
                name: {ratio: rounded(value * factor) for ratio, value in ratios.items()}
                for name, ratios in self.weights.items()
            },
            tuple(rounded(value * factor) for value in self.depths),
            {**self.told, "scaled_by": rounded(factor), "sum_of_all": TOTAL if total > 0 else 0.0},
        )


def rounded(value: float) -> float:
    """Six significant digits: what is left when sums are taken in another order."""
    return float(f"{value:.6g}")


def probed(
    importance: Importance, layers: Sequence[TrainableLayer], ratios: Sequence[float]
) -> Contributions:
    """Take importance for contributions, that of biases summed up from the last layer.

    Parameters
    ----------
    importance
        Squared gradients.
    layers
        All trainable layers, from input to output.
    ratios
        Shares of the channels.
    """
    weights = {
        layer.name: {ratio: importance.of_weights(layer.name, ratio) for ratio in ratios} for layer in layers
    }
    from_last = (importance.biases[layer.name] for layer in reversed(layers))
    told = {
        "by": "probe",
        "meaning": "squared gradients: fall of the loss by a step of SGD to first order, per learning rate",
    }
    return Contributions(weights, (0.0, *accumulate(from_last)), told)
