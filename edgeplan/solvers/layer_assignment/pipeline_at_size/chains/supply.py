"""How many nodes could serve each run within a threshold: what few could serve is dear."""

from __future__ import annotations

import numpy as np

from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.ground import Ground
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.nodes import Bools, Floats

_MOST_COUNTED = 4000


def run_prices(ground: Ground, live: Bools, threshold_s: float, rng: np.random.Generator) -> Floats:
    """One over the number of nodes that could serve each run with the best partners, shape [start, end].

    Only a guide: it is counted on a sample and with the highest memory need.
    """
    runs, rows = ground.field.runs, np.flatnonzero(live)
    n, share = runs.num_layers, 1.0
    if len(rows) > _MOST_COUNTED:
        share = _MOST_COUNTED / len(rows)
        rows = rng.choice(rows, _MOST_COUNTED, replace=False)
    nodes = ground.classes.take(rows)
    meets = [ground.best_link_s(nodes, num_bytes) <= threshold_s for num_bytes in runs.cut_bytes.tolist()]
    meets[0] = meets[n] = np.ones(len(nodes), dtype=np.bool_)
    supply = np.zeros((n, n + 1))
    for end in range(1, n + 1):
        in_time = runs.starts_in_time(nodes, end, threshold_s)
        starts = np.maximum(in_time, runs.starts_in_memory(nodes, end, len(runs.levels) - 1))
        for start in range(int(starts.min(initial=end)), end):
            supply[start, end] = nodes.copies[(starts <= start) & meets[start] & meets[end]].sum()
    return 1.0 / np.maximum(supply / share, 0.5)
