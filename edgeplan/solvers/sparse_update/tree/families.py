"""Plans by the groups they use: where these are given and paid for, prices find very good choices.

What makes the problem hard is which groups are worth their fixed prices. So one group after another is added
to a family of groups or taken out of it, and what leads to a better plan is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from edgeplan.solvers.sparse_update.choices.cluster import Array, Choices
from edgeplan.solvers.sparse_update.prices.descent import Descended, descend
from edgeplan.solvers.sparse_update.prices.dual import Answer, Dual, Part
from edgeplan.solvers.sparse_update.prices.pruning import with_closed
from edgeplan.solvers.sparse_update.tree.improvement import Improvement

_STEPS = 100
_OFTEN = 3  # of answers that are better than those before, one is improved
_MOSTLY, _HARDLY = 0.5, 0.02  # how much a group is taken
_MOST_NEW = 8  # groups outside a family that are tried
_WIDE = 3e-3  # relative: a gap below which no other families are tried


@dataclass(frozen=True)
class Families:
    """A search over families of groups.

    Parameters
    ----------
    dual
        Evaluates prices.
    improvement
        Of what each family comes to.
    on_choices
        Gets choices that keep all rules, and returns the best objective known by then.
    until
        Whether to stop.
    """

    dual: Dual
    improvement: Improvement
    on_choices: Callable[[Choices], float]
    until: Callable[[], bool]

    def search(self, part: Part, found: Descended, best: float) -> None:
        """Begin with the groups that are open for the most part; stop where no change helps.

        Parameters
        ----------
        part, found
            What is open, and prices to begin with.
        best
            The best objective known.
        """
        family = found.taken > _MOSTLY
        best = max(best, self._try(part, found, family, best))
        changed = found.bound - best > _WIDE * abs(best)
        while changed:
            changed = False
            for changes in self._changes(found, family):
                if self.until():
                    return
                other = family ^ changes
                known = self._try(part, found, other, best)
                if known > best:
                    family, best, changed = other, known, True

    def _changes(self, found: Descended, family: Array) -> Iterator[Array]:
        """Every group of a family, and those outside it that are taken most."""
        outside = np.where(family, 0.0, found.taken)
        new = np.argsort(-outside, axis=None, kind="stable")[:_MOST_NEW]
        new = new[outside.ravel()[new] > _HARDLY]
        for index in (*np.flatnonzero(family), *new):
            changes = np.zeros(family.size, bool)
            changes[index] = True
            yield changes.reshape(family.shape)

    def _try(self, part: Part, found: Descended, family: Array, best: float) -> float:
        """Return the best objective known after a look at a family."""
        untolled = replace(found, prices=replace(found.prices, toll=0 * found.prices.toll))
        closed = part.groups.closed | ~family
        dived, below = with_closed(replace(part, opened=family), untolled, closed)
        better: list[Choices] = []
        most, known = -np.inf, best

        def improve(choices: Choices) -> None:
            nonlocal known
            improved = self.improvement.improved(choices)
            if improved is not None:
                known = max(known, self.on_choices(improved))

        def take(answer: Answer) -> float:
            nonlocal most
            objective = self.improvement.objective(answer.choices) if answer.bound > -np.inf else -np.inf
            if objective > most:
                most = objective
                better.append(answer.choices)
                if len(better) % _OFTEN == 0:
                    improve(answer.choices)
            return known

        descend(self.dual, dived, below.prices, target=best, steps=_STEPS, on_answer=take, until=self.until)
        if better:
            improve(better[-1])
        return known
