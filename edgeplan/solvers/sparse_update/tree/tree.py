"""Best-first search: prices bound every part, a part that may hold a better plan is split in two."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count

from edgeplan.solvers.sparse_update.aggregation.aggregation import Aggregation
from edgeplan.solvers.sparse_update.aggregation.collectives import collectives_of
from edgeplan.solvers.sparse_update.choices.cluster import Choices, Cluster
from edgeplan.solvers.sparse_update.prices.descent import Descended, descend
from edgeplan.solvers.sparse_update.prices.dual import Answer, Dual, Part
from edgeplan.solvers.sparse_update.prices.groups import Groups, ListedGroups
from edgeplan.solvers.sparse_update.prices.prices import Prices
from edgeplan.solvers.sparse_update.prices.pruning import (
    with_closed,
    without_losing_choices,
    without_losing_groups,
)
from edgeplan.solvers.sparse_update.prices.relaxation import Relaxation
from edgeplan.solvers.sparse_update.tree.branching import halves
from edgeplan.solvers.sparse_update.tree.improvement import Improvement

_ROOT_STEPS, _STEPS = 200, 60
_RELAXATION = 0.3  # share of the time that the linear relaxation may take
_CLOSE = 5e-7  # relative: a part that is better by less is not looked at
_NOISE = 1e-14  # of what is added up: no more can be said with floats
_EARLY = 400  # answers of which one in ten is improved; of later ones one in a hundred
_NEAR = 0.05  # share of the gap below the best plan within which any is improved

OnPlan = Callable[[Choices], float | None]
"""Gets choices that may be better, and returns their objective if they keep all rules."""


@dataclass
class Tree:
    """A search over all plans of a cluster whose groups are listed.

    Parameters
    ----------
    cluster
        The cluster.
    on_plan
        Judges choices.
    on_bound
        Gets proven bounds.
    until
        Whether to stop.
    """

    cluster: Cluster
    on_plan: OnPlan
    on_bound: Callable[[float], None]
    until: Callable[[], bool]
    best: float = field(init=False)
    _floor: float = -math.inf
    _open: list[tuple[float, int, Part, Descended]] = field(default_factory=list)
    _seen: set[bytes] = field(default_factory=set)
    _answers: int = 0

    def __post_init__(self) -> None:
        self._aggregation = Aggregation(self.cluster)
        self._dual = Dual(self.cluster)
        self._number = count()
        self._groups = ListedGroups.all_of(self.cluster, self._aggregation)
        self.collectives = collectives_of(self.cluster)
        self._improvement = Improvement(self.cluster, self.collectives)
        self.best = self._worthless = _below_all(self._groups)
        self._noise = 0.0

    def run(self, time_limit_s: float) -> bool:
        """Search until all parts are done; say whether they are.

        Parameters
        ----------
        time_limit_s
            For everything; `until` says when it is over.
        """
        if not self.bound_apart():
            return True
        self.root(_RELAXATION * time_limit_s)
        while self._open and not self.until():
            self._tell()
            _, _, part, found = heapq.heappop(self._open)
            if found.bound <= self._enough:
                self._floor = max(self._floor, found.bound)
                self._open.clear()
                break
            self._split(part, found)
        self._tell()
        return not self._open

    def bound_apart(self) -> bool:
        """Bound by what every class brings by itself; say whether all have any choice."""
        nothing = Prices.nothing(self.cluster, len(self._groups.fixed))
        bound = self._dual.answer(nothing, self.whole).bound
        self._noise = _NOISE * max(-self._worthless, bound)
        if bound > -math.inf:
            self.on_bound(bound)
        return bound > -math.inf

    def _tell(self) -> None:
        if self.bound > -math.inf:
            self.on_bound(self.bound)

    def root(self, time_limit_s: float) -> Prices:
        """Bound the whole, look for plans, and drop what loses; return the prices.

        Parameters
        ----------
        time_limit_s
            For the linear relaxation alone.
        """
        part = self.whole
        nothing = Prices.nothing(self.cluster, len(self._groups.fixed))
        prices = Relaxation(self._groups, part.scope).solve(time_limit_s)
        found = self._descend(part, prices or nothing, _ROOT_STEPS)
        if found.bound > self._enough:
            self._dive(part, found)
            found = self._descend(part, found.prices, _ROOT_STEPS)
        if found.bound > self._enough:
            part = self._narrowed(part, found)
        self._put(part, found)
        self._tell()
        return found.prices

    @property
    def whole(self) -> Part:
        """All that the instance leaves."""
        return Part.whole(self._groups)

    @property
    def left(self) -> list[Part]:
        """Parts that may hold a better plan."""
        return [part for _, _, part, _ in self._open]

    @property
    def bound(self) -> float:
        """What no plan is better than; minus infinity where there is none."""
        most = -self._open[0][0] if self._open else -math.inf
        bound = max(most, self._floor, self.best)
        if not self._open and not self.has_plan:
            return -math.inf
        return self.best if bound <= self.best + self._noise else bound

    @property
    def has_plan(self) -> bool:
        """Whether a plan is known."""
        return self.best > self._worthless

    @property
    def _enough(self) -> float:
        return self.best + max(_CLOSE * abs(self.best), self._noise)

    def _descend(self, part: Part, prices: Prices, steps: int) -> Descended:
        return descend(
            self._dual,
            part,
            prices,
            target=self.best,
            steps=steps,
            on_answer=self._take,
            until=self.until,
        )

    def _dive(self, part: Part, found: Descended) -> None:
        """Look for plans with the groups alone that are open for the most part."""
        family = found.taken > 0.5
        untolled = replace(found, prices=replace(found.prices, toll=0 * found.prices.toll))
        closed = part.groups.closed | ~family
        dived, below = with_closed(replace(part, opened=family), untolled, closed)
        self._descend(dived, below.prices, _STEPS)

    def _narrowed(self, part: Part, found: Descended) -> Part:
        """Drop what loses more than the gap."""
        answer = self._dual.answer(found.prices, part)
        gap = found.bound - self.best
        return without_losing_choices(self._dual, part, found.prices, answer, gap, self.until)

    def _put(self, part: Part, found: Descended) -> None:
        """Keep a part that may hold a better plan."""
        if found.bound <= self._enough:
            self._floor = max(self._floor, found.bound)
            return
        part, found = without_losing_groups(part, found, found.bound - self.best)
        heapq.heappush(self._open, (-found.bound, next(self._number), part, found))

    def _split(self, part: Part, found: Descended) -> None:
        parts = list(halves(part, found))
        if not parts:
            self._finish(part, found)
        for half, prices in parts:
            below = self._descend(half, prices, _STEPS)
            self._put(half, replace(below, bound=min(below.bound, found.bound)))

    def _finish(self, part: Part, found: Descended) -> None:
        """All classes have one choice left, which is judged; free collectives may be better than found."""
        self._take(self._dual.answer(found.prices, part))
        if part.groups.covers:
            self._floor = max(self._floor, found.bound)

    def _take(self, answer: Answer) -> float:
        """Judge the choices of an answer, improved if they are promising; return the best objective."""
        self._answers += 1
        if not math.isfinite(answer.bound):
            return self.best
        key = answer.choices.depth.tobytes() + answer.choices.option.tobytes()
        if key in self._seen:
            return self.best
        self._seen.add(key)
        objective = self._improvement.objective(answer.choices)
        near = self.best - _NEAR * (answer.bound - self.best)
        often = 10 if self._answers < _EARLY else 100
        self._offer(objective, answer.choices)
        if objective > near or self._answers % often == 1:
            improved = self._improvement.improved(answer.choices)
            if improved is not None:
                self._offer(self._improvement.objective(improved), improved)
        return self.best

    def _offer(self, objective: float, choices: Choices) -> None:
        if objective > self.best:
            known = self.on_plan(choices)
            if known is not None:
                self.best = max(self.best, known)


def _below_all(groups: Groups) -> float:
    """Less than any plan is worth: nothing brought, and every slice aggregated as dearly as can be."""
    dearest = (groups.cost + groups.fixed).max(axis=1)
    return -1.0 - 2.0 * float(dearest.sum())
