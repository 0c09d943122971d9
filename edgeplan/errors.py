"""What can go wrong, as one small tree.

    EdgeplanError              exit code
    ├── InvalidInputError      2    a document, an option or an argument breaks a rule
    │   ├── UsageError         2    options that do not fit together, files that cannot be read
    │   └── InvalidPlanError   2    a plan too broken to be judged where one is needed
    ├── MissingExtraError      7    an optional dependency is not installed
    ├── BackendError           7    a solver's process broke or contradicted the problem
    └── RunError               6    an execution did not finish as planned

Each error knows the exit code that the command line answers with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgeplan.models.faults import Fault


class EdgeplanError(Exception):
    """Base of every error that a user can cause or meet."""

    exit_code = 1


class InvalidInputError(EdgeplanError):
    """A document breaks rules; ``faults`` lists every one with its JSON pointer.

    Parameters
    ----------
    faults
        The faults, in document order.
    source
        Name of the document, such as a path; appears at the end of each line.
    """

    exit_code = 2

    def __init__(self, faults: Sequence[Fault], source: str | None = None) -> None:
        self.faults = tuple(faults)
        self.source = source
        super().__init__("\n".join(self.lines()))

    def lines(self) -> list[str]:
        """One line a fault: pointer, value, rule and remedy."""
        where = f" [{self.source}]" if self.source else ""
        return [f"{fault}{where}" for fault in self.faults]


class UsageError(InvalidInputError):
    """Options or arguments that cannot be used, told in one line."""

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__(())

    def lines(self) -> list[str]:
        """Return the message as the only line."""
        return [self.message]


class InvalidPlanError(InvalidInputError):
    """A plan names what the instance does not have, or is no plan at all."""


class MissingExtraError(EdgeplanError):
    """An optional dependency is needed and not installed."""

    exit_code = 7


class BackendError(EdgeplanError):
    """A solver's process broke, or its answer contradicts the problem's own arithmetic."""

    exit_code = 7


class RunError(EdgeplanError):
    """An execution did not finish, or did not do what the plan says."""

    exit_code = 6
