"""Children that stay warm over many solves, since their start-up would dominate tests of small instances."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from edgeplan.solvers.layer_assignment.circulation import cp_sat
from edgeplan.solvers.layer_assignment.infeasible import infeasibility
from edgeplan.solvers.layer_assignment.milp import milp

Made = Callable[[str], Any]


class WarmBackends:
    """Lends one child a name instead of making one a solve; closes all in the end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._children: dict[tuple[Made, str], Any] = {}
        for module, name in (
            (cp_sat, "BackendProcess"),
            (infeasibility, "BackendProcess"),
            (milp, "PulpProcess"),
        ):
            monkeypatch.setattr(module, name, self._lending(getattr(module, name)))

    def _lending(self, make: Made) -> Made:
        @contextmanager
        def lend(name: str) -> Iterator[Any]:
            if (make, name) not in self._children:
                self._children[make, name] = make(name)
            yield self._children[make, name]

        return lend

    def close(self) -> None:
        for child in self._children.values():
            child.close()
