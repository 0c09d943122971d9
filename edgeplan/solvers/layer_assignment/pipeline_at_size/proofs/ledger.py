"""The chains known so far and the prices that balance them.

A chain's row entries say by how much, relatively, it oversteps: copies of a class, the fewest and the most
stages, and a sum of costs that is aimed at.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.nodes import Bools, Floats, Ints
from edgeplan.solvers.layer_assignment.pipeline_at_size.proofs.game import balance

_SPREAD = 1e-4
_MOST_CHAINS = 600


@dataclass(frozen=True)
class Use:
    """What one chain uses.

    Parameters
    ----------
    classes
        Class of each stage.
    bottleneck_s
        The chain's bottleneck.
    total
        What its stages and links add up to.
    """

    classes: Ints
    bottleneck_s: float
    total: float


@dataclass(frozen=True)
class Prices:
    """Prices of the rules that chains may break; a chain pays for its stages and gets back `owed`.

    Parameters
    ----------
    classes
        Price of a stage, by class of the ground.
    per_stage
        Price of any stage, negative where more stages are asked for.
    per_cost
        Price of a unit of cost.
    owed
        What a plan's stages pay at most, without their cost.
    """

    classes: Floats
    per_stage: float
    per_cost: float
    owed: float


@dataclass
class Ledger:
    """Chains and prices.

    Parameters
    ----------
    copies
        Copies of each class.
    fewest, most
        Fewest and most stages; `most` None where the limit cannot bind.
    """

    copies: Ints
    fewest: int
    most: int | None
    priced: Bools = field(init=False)
    """Classes that may have a price."""
    prices: Prices = field(init=False)
    chains: list[Use] = field(default_factory=list)
    shares: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.priced = np.zeros(len(self.copies), dtype=np.bool_)
        self.prices = Prices(np.zeros(len(self.copies)), 0.0, 0.0, 0.0)

    def add(self, use: Use) -> bool:
        """Enter a chain; whether it overuses a class that had no price before."""
        self.chains.append(use)
        classes, times = np.unique(use.classes, return_counts=True)
        over = classes[(times > self.copies[classes]) & ~self.priced[classes]]
        self.priced[over] = True
        return len(over) > 0

    def reprice(self, threshold_s: float, aim: float | None = None) -> float:
        """Balance prices against the chains within a threshold.

        Parameters
        ----------
        aim
            Sum of costs that a chain oversteps if it costs more; without it costs do not count.

        Returns
        -------
        float
            By how much, relatively, the best mixture of these chains oversteps a row; inf without chains.
        """
        known = [use for use in self.chains if use.bottleneck_s <= threshold_s][-_MOST_CHAINS:]
        if not known:
            return np.inf
        classes = np.flatnonzero(self.priced)
        copies = self.copies[classes].astype(np.float64)
        old = self.prices
        begun = [
            old.classes[classes] * copies,
            np.array([max(0.0, -old.per_stage * self.fewest), max(0.0, old.per_stage) * (self.most or 0)]),
            np.array([old.per_cost * (aim or 0.0)]),
        ]
        shares = np.array([self.shares.get(id(use), 1.0 / len(known)) for use in known])
        found = balance(self._entries(known, classes, copies, aim), np.concatenate(begun) + _SPREAD, shares)
        self.shares = {id(use): share for use, share in zip(known, found.shares.tolist(), strict=True)}
        self._enter(found.prices, classes, copies, aim)
        return found.value

    def _enter(self, prices: Floats, classes: Ints, copies: Floats, aim: float | None) -> None:
        by_class = np.zeros(len(self.priced))
        by_class[classes] = prices[:-3] / copies
        for_more, for_fewer = prices[-3] * (self.fewest > 1), prices[-2] * (self.most is not None)
        per_stage = float(for_fewer / (self.most or 1) - for_more / self.fewest)
        per_cost = 0.0 if aim is None else float(prices[-1] / aim)
        owed = float(by_class[classes] @ copies + for_fewer - for_more)
        self.prices = Prices(by_class, per_stage, per_cost, owed)

    def _entries(self, known: list[Use], classes: Ints, copies: Floats, aim: float | None) -> Floats:
        row_of = np.full(len(self.priced), len(classes))
        row_of[classes] = np.arange(len(classes))
        used = np.zeros((len(classes) + 1, len(known)))
        for column, use in enumerate(known):
            np.add.at(used[:, column], row_of[use.classes], 1.0)
        stages = np.array([len(use.classes) for use in known], dtype=np.float64)
        none = np.full(len(known), -1.0)
        too_few = (self.fewest - stages) / self.fewest if self.fewest > 1 else none
        too_many = (stages - self.most) / self.most if self.most else none
        too_dear = none if aim is None else np.array([use.total for use in known]) / aim - 1.0
        return np.concatenate([used[:-1] / copies[:, None] - 1, [too_few, too_many, too_dear]])
