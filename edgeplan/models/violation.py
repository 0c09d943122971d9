"""A rule that a plan breaks, and the verdict of a check."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from edgeplan.models.faults import Path, to_pointer


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule of a plan.

    Parameters
    ----------
    rule
        Name of the rule, such as ``memory``.
    pointer
        The limit in the instance, or, from ``/plan`` on, the place in the plan.
    need, have
        What the plan would need and what there is, in the unit of the limit; None without a figure.
    message
        One sentence with the figures.
    """

    rule: str
    pointer: str
    need: float | str | None
    have: float | str | None
    message: str

    @classmethod
    def at(
        cls, rule: str, path: Path, message: str, *, need: float | str | None, have: float | str | None
    ) -> Violation:
        """Build from a path instead of a pointer."""
        return cls(rule, to_pointer(path), need, have, message)


@dataclass(frozen=True, slots=True)
class Check:
    """What the problem itself says of a plan.

    `objective` is None where a term has no value; `metrics` only where the plan's structure is broken.
    """

    problem: str
    objective: float | None
    metrics: dict[str, Any] | None
    violations: tuple[Violation, ...]

    @property
    def feasible(self) -> bool:
        """Whether no rule is broken."""
        return not self.violations

    def to_document(self) -> dict[str, Any]:
        """Return the check as plain JSON values."""
        return {
            "format": "edgeplan/1",
            "problem": self.problem,
            "feasible": self.feasible,
            "objective": self.objective,
            "metrics": self.metrics,
            "violations": [asdict(violation) for violation in self.violations],
        }
