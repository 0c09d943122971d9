"""Best-first search: prices bound every part, a part that may hold a better plan is split in two."""

from __future__ import annotations

import heapq
import math
import time
from dataclasses import dataclass, field
from itertools import count

from edgeplan.solvers.sparse_update.aggregation.aggregation import Aggregation
from edgeplan.solvers.sparse_update.choices.cluster import Choices
from edgeplan.solvers.sparse_update.master.generation import Generation
from edgeplan.solvers.sparse_update.prices.descent import Descended, descend
from edgeplan.solvers.sparse_update.prices.dual import Answer, Dual, Part
from edgeplan.solvers.sparse_update.prices.groups import Groups, ListedGroups
from edgeplan.solvers.sparse_update.prices.prices import Prices
from edgeplan.solvers.sparse_update.prices.pruning import (
    without_losing_choices,
    without_losing_groups,
)
from edgeplan.solvers.sparse_update.prices.relaxation import Relaxation
from edgeplan.solvers.sparse_update.tree.branching import halves
from edgeplan.solvers.sparse_update.tree.families import Families
from edgeplan.solvers.sparse_update.tree.method import Method

_ROOT_STEPS = 200
_ROOT_ROUNDS, _ROUNDS = 12, 3
_LONGEST_S = 2.0  # of a master programme
_RELAXATION = 0.2  # share of the time that the linear relaxation may take, and families of groups
_CLOSE = 5e-7  # relative: a part that is better by less is not looked at
_NOISE = 1e-14  # of what is added up: no more can be said with floats
_EARLY = 150  # answers of which one in ten is improved; of later ones one in a hundred


@dataclass
class Tree(Method):
    """A search over all plans of a cluster whose groups are listed."""

    _floor: float = -math.inf
    _open: list[tuple[float, int, Part, Descended]] = field(default_factory=list)
    _seen: set[bytes] = field(default_factory=set)
    _answers: int = 0

    def __post_init__(self) -> None:
        self._dual = Dual(self.cluster)
        self._number = count()
        self._groups = ListedGroups.all_of(self.cluster, Aggregation(self.cluster))
        self.best = self._worthless = _below_all(self._groups)
        self._generation = Generation(self._dual)
        self._noise, self._end = 0.0, math.inf

    def begin(self, time_limit_s: float) -> bool:
        """Bound the whole, and look for plans; say whether all classes have any choice.

        Parameters
        ----------
        time_limit_s
            For the whole search; `until` says when it is over.
        """
        self._end = time.monotonic() + time_limit_s
        if not self.bound_apart():
            return False
        self.root(_RELAXATION * time_limit_s)
        return True

    def search(self) -> bool:
        """Search what is left until all parts are done; say whether they are."""
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

    def take(self, choices: Choices) -> None:
        """Judge choices from elsewhere, as they are and improved."""
        self.offered(choices)
        improved = self.improvement.improved(choices)
        if improved is not None:
            self.offered(improved)

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
            For the linear relaxation, and for families as much again.
        """
        part = self.whole
        nothing = Prices.nothing(self.cluster, len(self._groups.fixed))
        prices = Relaxation(self._groups, part.scope).solve(time_limit_s)
        found = descend(
            self._dual,
            part,
            prices or nothing,
            target=self.best,
            steps=_ROOT_STEPS,
            on_answer=self._take,
            until=self.until,
        )
        if found.bound > self._enough:
            until = time.monotonic() + time_limit_s
            families = Families(
                self._dual,
                self.improvement,
                self.offered,
                lambda: self.until() or time.monotonic() >= until,
            )
            families.search(part, found, self.best)
            part, found = self._narrowed(part, found)
            found = self._lower(part, found, _ROOT_ROUNDS)
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

    def _lower(self, part: Part, found: Descended, rounds: int) -> Descended:
        return self._generation.lower(
            part,
            found,
            target=self._enough,
            rounds=rounds,
            on_answer=self._take,
            until=self.until,
            time_limit_s=min(_LONGEST_S, self._end - time.monotonic()),
        )

    def _narrowed(self, part: Part, found: Descended) -> tuple[Part, Descended]:
        """Drop what loses more than the gap: choices and groups."""
        answer = self._dual.answer(found.prices, part)
        gap = answer.bound - self.best
        part = without_losing_choices(self._dual, part, found.prices, answer, gap, self.until)
        return without_losing_groups(part, found, gap)

    def _put(self, part: Part, found: Descended) -> None:
        """Keep a part that may hold a better plan."""
        if found.bound <= self._enough:
            self._floor = max(self._floor, found.bound)
        else:
            part, found = self._narrowed(part, found)
            heapq.heappush(self._open, (-found.bound, next(self._number), part, found))

    def _split(self, part: Part, found: Descended) -> None:
        parts = list(halves(part, found, found.bound - self.best))
        if not parts:
            self._finish(part, found)
        for half, inherited in parts:
            self._put(half, self._lower(half, inherited, _ROUNDS))

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
        self._generation.columns.add(answer.choices)
        key = answer.choices.depth.tobytes() + answer.choices.option.tobytes()
        if key in self._seen:
            return self.best
        self._seen.add(key)
        often = 10 if self._answers < _EARLY else 100
        if self._answers % often == 1:
            self.take(answer.choices)
        else:
            self.offered(answer.choices)
        return self.best


def _below_all(groups: Groups) -> float:
    """Less than any plan is worth: nothing brought, and every slice aggregated as dearly as can be."""
    dearest = (groups.cost + groups.fixed).max(axis=1)
    return -1.0 - 2.0 * float(dearest.sum())
