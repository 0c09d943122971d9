"""Which closings of the walk are still open, and how low a plan with each of them may be.

Closings are searched one by one, each as far as a number of labels goes; those that need more wait for
better prices.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

from edgeplan.solvers.layer_assignment.bounds.walks import OutOfTimeError
from edgeplan.solvers.layer_assignment.label_setting.label_search import TooManyLabelsError
from edgeplan.solvers.layer_assignment.label_setting.offering import ceiling, offer_walks
from edgeplan.solvers.layer_assignment.label_setting.to_come import ToCome
from edgeplan.solvers.layer_assignment.search import Search

_ROUNDING = 1e-9
_MOST_FAILURES = 3
_DIVES = 3


@dataclass
class Closings:
    """The closings of one walk.

    Parameters
    ----------
    search
        Gets plans and bounds as they come.
    lowest
        By closing, the least objective that a plan may have.
    elsewhere
        Least objective of the plans that are no walks, those of one stage in a round.
    open
        Closings whose best walk is not known.
    """

    search: Search
    lowest: dict[int, float]
    elsewhere: float = math.inf
    open: set[int] = field(init=False)

    def __post_init__(self) -> None:
        self.open = set(self.lowest)

    def learn(self, to_come: ToCome) -> None:
        """Take over what cheapest ways to the end say, and close what cannot be better.

        Raises
        ------
        OutOfTimeError
            When time runs out.
        """
        for closing in sorted(self.open):
            if time.monotonic() > self.search.limits.work_until:
                raise OutOfTimeError
            self.lowest[closing] = max(self.lowest[closing], to_come.bound(closing))
            if self.lowest[closing] >= ceiling(self.search):
                self.open.discard(closing)
        self.tighten_bound()

    def dive(self, to_come: ToCome, *, width: int) -> None:
        """Look for better plans among so many labels a position of the most promising closings."""
        for closing in sorted(self.open, key=self.lowest.__getitem__)[:_DIVES]:
            offer_walks(self.search, to_come, closing, width=width)

    def settle(self, to_come: ToCome, *, most_labels: int) -> None:
        """Find the best walk of the open closings, the most promising first.

        Parameters
        ----------
        most_labels
            Labels beyond which a closing stays open; after a few such the others wait as well.
        """
        num_failures = 0
        for closing in sorted(self.open, key=self.lowest.__getitem__):
            if self.search.is_done or num_failures == _MOST_FAILURES:
                break
            below = ceiling(self.search)
            if self.lowest[closing] < below:
                try:
                    found = offer_walks(self.search, to_come, closing, most_labels=most_labels)
                except TooManyLabelsError:
                    num_failures += 1
                    continue
                self.lowest[closing] = max(self.lowest[closing], min(found, below))
            self.open.discard(closing)
            self.tighten_bound()

    @property
    def least(self) -> float:
        """Least objective that any plan may have; infinite without plans and walks."""
        return min([self.elsewhere, *self.lowest.values()])

    def tighten_bound(self) -> None:
        """Raise the bound to the least objective of a walk that is not excluded, or to the ceiling."""
        bound = min(self.least * (1 - _ROUNDING), ceiling(self.search))
        if math.isfinite(bound):
            self.search.tighten_bound(bound)
