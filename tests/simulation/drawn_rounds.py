"""The draws of one round, taken from the streams of the simulation, and what a round comes to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from edgeplan.simulation.chance import Chance, Drawn, node_factors
from edgeplan.simulation.settings import SimulationSettings


@dataclass
class Outcome:
    """What the round took."""

    time_s: float = math.inf
    bytes_moved: float = 0.0
    energy_j: float = 0.0
    lost: int = 0
    replaced: int = 0
    skipped: int = 0


@dataclass
class Draws:
    """The draws of one round of the first chunk."""

    settings: SimulationSettings
    rounds: int
    round: int

    def factor(self, what: Drawn, *label: int, shape: tuple[int, ...] = ()) -> Any:
        jitter = self.settings.jitter
        variation = jitter.transfer if what is Drawn.TRANSFER else jitter.compute
        return Chance(self.settings.seed, 0).factors(variation, (self.rounds, *shape), what, *label)[
            self.round
        ]

    def speed(self, count: int) -> list[float]:
        return list(node_factors(self.settings.seed, self.settings.jitter.node, count))
