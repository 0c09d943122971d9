"""The least possible largest compute time, nodes reused freely."""

from __future__ import annotations

import math

import numpy as np

from edgeplan.solvers.layer_assignment.at_size.groups.columns import Columns
from edgeplan.solvers.layer_assignment.at_size.groups.kinds import ROW


def least_bottleneck_s(columns: Columns) -> float:
    """Return a lower bound on the largest compute time of a stage; infinite where no chain of runs fits."""
    work = columns.work
    types = np.array([work.kinds.work_type[group[0]] for group in columns.groups])
    seconds = np.full(len(work.starts), math.inf)
    for work_type in range(len(work.units)):
        mine = types == work_type
        if mine.any():
            allowed = np.isfinite(columns.own[:, mine])
            unit_s = np.where(allowed, columns.figures[ROW["unit_s"], mine], math.inf).min(axis=1)
            served = np.isfinite(unit_s)
            seconds[served] = np.minimum(seconds[served], work.units[work_type, served] * unit_s[served])
    best = np.full(work.num_positions + 1, math.inf)
    best[0] = 0.0
    for row, (start, end) in enumerate(zip(work.starts, work.ends, strict=True)):
        best[end] = min(best[end], max(best[start], seconds[row]))
    return float(best[-1])
