"""Draws by name: each asks for its own stream, so that no draw moves another.

The streams of a simulation are keyed by the seed, the chunk of rounds, what is drawn and for which part of
the plan. So a simulation with churn has the same noise as one without, a policy meets the nodes that another
policy met, and the first rounds are the same however many follow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Lanes = NDArray[np.intp]


class Drawn(IntEnum):
    """What is drawn."""

    NODE = 0
    COMPUTE = 1
    TRANSFER = 2
    START = 3
    STAY = 4


@dataclass(frozen=True)
class Chance:
    """The streams of one chunk of rounds.

    Parameters
    ----------
    seed
        Seed of the simulation.
    chunk
        Number of the chunk.
    """

    seed: int
    chunk: int

    def stream(self, what: Drawn, *label: int) -> np.random.Generator:
        """Return the generator of one kind of draw for one part of the plan."""
        return np.random.default_rng([self.seed, self.chunk, int(what), *label])

    def factors(self, variation: float, shape: tuple[int, ...], what: Drawn, *label: int) -> Array:
        """Draw log-normal factors of mean 1.

        Parameters
        ----------
        variation
            Coefficient of variation; without any all factors are 1.
        shape
            Rounds first.

        Examples
        --------
        >>> Chance(0, 0).factors(0.0, (2,), Drawn.COMPUTE)
        array([1., 1.])
        """
        if variation == 0:
            return np.broadcast_to(np.float64(1.0), shape)
        sigma = math.sqrt(math.log1p(variation**2))
        drawn = self.stream(what, *label).standard_normal(shape)
        drawn *= sigma
        drawn -= sigma**2 / 2
        return np.exp(drawn, out=drawn)


def node_factors(seed: int, variation: float, num_nodes: int) -> Array:
    """Draw the factor of every node's computing, the same in all rounds."""
    return Chance(seed, 0).factors(variation, (num_nodes,), Drawn.NODE)
