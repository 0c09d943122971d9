"""The integer programme of a part of the search, as a job for CP-SAT or an engine of PuLP's.

It is the relaxation with updates and open groups whole: then slices have whole groups too. Other processes
read the job, so it is plain JSON.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edgeplan.solvers.backend_process import Job
from edgeplan.solvers.sparse_update.choices.cluster import Array, Choices
from edgeplan.solvers.sparse_update.exact.listed_rows import listed
from edgeplan.solvers.sparse_update.prices.dual import Part
from edgeplan.solvers.sparse_update.prices.groups import ListedGroups
from edgeplan.solvers.sparse_update.prices.relaxation import Relaxation

CP_SAT = "edgeplan.solvers.sparse_update.exact.cp_sat_backend"
PULP = "edgeplan.solvers.sparse_update.exact.pulp_backend"


@dataclass(frozen=True)
class Programme:
    """The programme.

    Parameters
    ----------
    part
        What is left to decide.
    """

    part: Part

    @cached_property
    def _relaxation(self) -> Relaxation:
        assert isinstance(self.part.groups, ListedGroups)
        return Relaxation(self.part.groups, self.part.scope)

    def job(self, excluded: list[list[int]], hint: Choices | None) -> Job:
        """Return the job: most of the objective and a constant, with rows that are at most a limit.

        Parameters
        ----------
        excluded
            Columns of updates of every choice that the problem refused.
        hint
            Choices to begin with.
        """
        relaxation = self._relaxation
        objective, lower, upper = relaxation.columns()
        rows, links = relaxation.limits(), relaxation.links()
        matrix = rows.matrix()
        return {
            "objective": objective.tolist(),
            "constant": relaxation.constant,
            "lower": lower.tolist(),
            "upper": upper.tolist(),
            "num_whole": relaxation.num_updates + relaxation.num_open,
            "num_updates": relaxation.num_updates,
            "rows": listed(matrix) | {"limit": np.concatenate(rows.limit).tolist()},
            "links": listed(links),
            "excluded": excluded,
            "hint": [] if hint is None else np.flatnonzero(self._updates(hint)).tolist(),
        }

    def _updates(self, choices: Choices) -> Array:
        return self.part.scope.cluster.updated(choices).ravel()

    def choices(self, updates: list[int]) -> Choices:
        """Read which columns of updates are 1."""
        cluster = self.part.scope.cluster
        updated = np.zeros((cluster.num_classes, cluster.num_slices), bool)
        updated.ravel()[updates] = True
        return cluster.choices_of(updated)
