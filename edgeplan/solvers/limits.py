"""How long and how far a solver may search."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from edgeplan.errors import UsageError
from edgeplan.models.problem import PlanDocument

MARGIN_S = 0.1  # kept back for judging and writing the last plan


@dataclass(frozen=True)
class SolveLimits:
    """Settings that every solver understands.

    Parameters
    ----------
    time_limit_s
        Wall-clock seconds from `started` on, for everything from reading to checking.
    gap
        Relative gap at which to stop.
    seed
        Random seed.
    workers
        Parallel workers.
    warm_start
        A plan to begin with, such as that of an earlier result.
    started
        Monotonic time at which the solve began.
    blame
        Whether to look for the limits that conflict where no plan exists.
    """

    time_limit_s: float = 60.0
    gap: float = 0.0
    seed: int = 0
    workers: int = 1
    warm_start: PlanDocument | None = None
    started: float = field(default_factory=time.monotonic)
    blame: bool = True

    @property
    def deadline(self) -> float:
        """Monotonic time at which to have answered."""
        return self.started + self.time_limit_s

    @property
    def work_until(self) -> float:
        """Monotonic time at which to stop searching."""
        return self.deadline - MARGIN_S

    @property
    def elapsed_s(self) -> float:
        """Seconds since `started`."""
        return time.monotonic() - self.started

    @property
    def remaining_s(self) -> float:
        """Seconds left, at least zero."""
        return max(0.0, self.deadline - time.monotonic())

    def share(self, fraction: float, *, most_s: float) -> float:
        """Monotonic time after a fraction of what is left, at most `most_s` from now."""
        return time.monotonic() + min(most_s, fraction * self.remaining_s)


def check_options(*rules: tuple[str, object, str, bool]) -> None:
    """Refuse the first option that breaks its rule: name, value, rule in words, whether it is kept.

    Raises
    ------
    UsageError
        With all of these.
    """
    for name, value, rule, kept in rules:
        if not kept:
            raise UsageError(f"{name}: {value!r}: must be {rule}")
