"""How a part of the search is split in two: by a group, or by what a class updates.

A group that is open in part is paid for in part. Where the rest of its price is much of the gap, to decide it
splits best; else what classes do in part on average, the more it brings, the better. Where all of that is
whole, groups are left.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from edgeplan.solvers.sparse_update.choices.cluster import Array, Cluster
from edgeplan.solvers.sparse_update.prices.descent import Descended
from edgeplan.solvers.sparse_update.prices.dual import Part
from edgeplan.solvers.sparse_update.prices.prices import Prices
from edgeplan.solvers.sparse_update.prices.pruning import with_closed
from edgeplan.solvers.sparse_update.prices.update_rows import steps

_IN_PART, _HARDLY = 0.02, 1e-3
_MUCH = 0.1  # of the gap


def halves(part: Part, found: Descended, gap: float) -> Iterator[tuple[Part, Descended]]:
    """Yield two parts that have all plans of a part, with prices; none where nothing is left to decide.

    Parameters
    ----------
    part, found
        The part, and the prices that prove its bound.
    gap
        From that bound to the objective of the best plan known.
    """
    fixed = part.groups.fixed
    settled = part.opened | part.groups.closed
    taken = np.where(settled, -1.0, np.minimum(found.taken, 1 - found.taken) * fixed)
    open_slices = _open_slices(part)
    updated = np.where(open_slices, np.minimum(found.updated, 1 - found.updated), -1.0)
    score = np.where(updated > _IN_PART, updated * _weight(part.scope.cluster), -1.0)
    most = taken.max(initial=-1.0)
    if most > _MUCH * gap:
        yield from _by_group(part, found, taken)
    elif score.max(initial=-1.0) > 0:
        yield from _by_slice(part, found, score)
    elif most > _HARDLY * fixed.max(initial=0.0):
        yield from _by_group(part, found, taken)
    elif open_slices.any():
        yield from _by_slice(part, found, updated)


def _open_slices(part: Part) -> Array:
    """Whether it is open if classes (rows) update slices (columns)."""
    return np.asarray(part.scope.may_update & part.scope.may_leave)


def _weight(cluster: Cluster) -> Array:
    """What updates of slices (columns) bring classes (rows), beside the mean."""
    depth_gain = np.where(np.isfinite(cluster.depth_gain), cluster.depth_gain, 0.0)
    biases = np.diff(depth_gain, axis=1)[:, ::-1]
    gain = np.abs(np.concatenate([steps(cluster.gain, cluster.first), biases], axis=1))
    return np.asarray(1.0 + gain / max(float(gain.mean()), 1e-300))


def _by_slice(part: Part, found: Descended, score: Array) -> Iterator[tuple[Part, Descended]]:
    c, s = np.unravel_index(np.argmax(score), score.shape)
    for updates in (True, False):
        yield replace(part, scope=part.scope.decided(int(c), int(s), updates)), found


def _by_group(part: Part, found: Descended, score: Array) -> Iterator[tuple[Part, Descended]]:
    p, g = map(int, np.unravel_index(np.argmax(score), score.shape))
    open_groups, toll = part.opened.copy(), found.prices.toll.copy()
    open_groups[p, g], toll[part.groups.pool == p, g] = True, 0.0
    yield replace(part, opened=open_groups), replace(found, prices=Prices(found.prices.share, toll))
    closed = part.groups.closed.copy()
    closed[p, g] = True
    yield with_closed(part, found, closed)
