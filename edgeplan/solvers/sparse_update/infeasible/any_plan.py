"""Whether limits can hold together, whatever a plan is worth: an engine is asked about updates alone."""

from __future__ import annotations

import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np

from edgeplan.errors import BackendError
from edgeplan.extras import is_installed
from edgeplan.solvers.backend_process import BackendProcess, BackendTimeoutError, Job
from edgeplan.solvers.pulp_process import AUTO, EngineProcess
from edgeplan.solvers.sparse_update.choices.cluster import Choices, Cluster
from edgeplan.solvers.sparse_update.choices.scope import Scope
from edgeplan.solvers.sparse_update.exact.listed_rows import listed
from edgeplan.solvers.sparse_update.exact.programme import CP_SAT, PULP
from edgeplan.solvers.sparse_update.prices.update_rows import (
    Rows,
    limits_of_updates,
    rules_among_classes,
    rules_of_classes,
)

_MOST_UPDATES = 50_000  # columns that are not too many


class UndecidedError(Exception):
    """It could not be found out in time whether a plan exists."""


@dataclass
class AnyPlan:
    """An engine that looks for any plan; its process starts when it is first asked.

    Parameters
    ----------
    seed
        For the engine.
    by_pulp
        Whether an engine of PuLP's is asked, and not CP-SAT.
    """

    seed: int
    by_pulp: bool = False
    engine: str = "CP-SAT"
    _process: BackendProcess | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.close()

    def choices(self, cluster: Cluster, until: float) -> Choices | None:
        """Return choices that keep all rules; None where no choices do.

        Parameters
        ----------
        cluster
            Classes, each of which does one thing.
        until
            Monotonic time.

        Raises
        ------
        UndecidedError
            When there was no time to tell, devices are too many, or no engine is there.
        """
        too_many = cluster.num_classes * cluster.num_slices > _MOST_UPDATES
        if too_many or time.monotonic() >= until or (self.by_pulp and not is_installed("pulp")):
            raise UndecidedError
        if self._process is None:
            self._process = EngineProcess(PULP, AUTO) if self.by_pulp else BackendProcess(CP_SAT)
        job = _job(cluster) | {"workers": 1, "seed": self.seed, "time_limit_s": until - time.monotonic()}
        updates: list[int] | None = None
        final = {}
        try:
            for final in self._process.messages(job, until=until):
                updates = final.get("updates", updates)
        except BackendTimeoutError:
            self._process = None
            raise UndecidedError from None
        self.engine = final.get("engine", self.engine)
        if final["status"] == "infeasible":
            return None
        if updates is None:
            raise UndecidedError
        updated = np.zeros(cluster.num_classes * cluster.num_slices, bool)
        updated[updates] = True
        found = cluster.choices_of(updated.reshape(cluster.num_classes, cluster.num_slices))
        if not cluster.keeps_limits(found).all():
            raise BackendError(f"{self.engine} finds choices that break a limit")
        return found


def _job(cluster: Cluster) -> Job:
    """The programme of all rules, in the form of `Programme.job`."""
    scope, num = Scope.of(cluster), cluster.num_classes * cluster.num_slices
    rows = Rows(num)
    rules_of_classes(rows, scope)
    rules_among_classes(rows, cluster)
    least, most = limits_of_updates(scope)
    nothing = {"begin": [0], "column": [], "factor": []}
    return {
        "objective": [0.0] * num,
        "constant": 0.0,
        "about": 1.0,
        "gap": 0.0,
        "lower": least.astype(float).tolist(),
        "upper": most.astype(float).tolist(),
        "num_whole": num,
        "num_updates": num,
        "rows": listed(rows.matrix()) | {"limit": np.concatenate(rows.limit).tolist()},
        "links": nothing,
        "excluded": [],
        "hint": [],
    }
