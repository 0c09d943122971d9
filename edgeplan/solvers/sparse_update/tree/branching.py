"""How a part of the search is split in two: by what a class updates, or by a group.

What classes do in part on average splits best, the more so the more it brings. Where all of that is whole,
groups are left that are open in part.
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

_IN_PART = 0.02


def halves(part: Part, found: Descended) -> Iterator[tuple[Part, Prices]]:
    """Yield two parts that have all plans of a part, with prices; none where nothing is left to decide."""
    split = _open_slices(part)
    in_part = np.minimum(found.updated, 1 - found.updated)
    score = np.where(split & (in_part > _IN_PART), in_part * _weight(part.scope.cluster), -1.0)
    if score.max(initial=-1.0) > 0:
        yield from _by_slice(part, found.prices, score)
        return
    taken = np.where(
        part.opened | part.groups.closed, -1.0, np.minimum(found.taken, 1 - found.taken) * part.groups.fixed
    )
    if taken.max(initial=-1.0) > 1e-3 * part.groups.fixed.max(initial=0.0):
        yield from _by_group(part, found, taken)
    elif split.any():
        yield from _by_slice(part, found.prices, np.where(split, in_part, -1.0))


def _open_slices(part: Part) -> Array:
    """Whether it is open if classes (rows) update slices (columns)."""
    return np.asarray(part.scope.may_update & part.scope.may_leave)


def _weight(cluster: Cluster) -> Array:
    """What updates of slices (columns) bring classes (rows), beside the mean."""
    depth_gain = np.where(np.isfinite(cluster.depth_gain), cluster.depth_gain, 0.0)
    biases = np.diff(depth_gain, axis=1)[:, ::-1]
    gain = np.abs(np.concatenate([steps(cluster.gain, cluster.first), biases], axis=1))
    return np.asarray(1.0 + gain / max(float(gain.mean()), 1e-300))


def _by_slice(part: Part, prices: Prices, score: Array) -> Iterator[tuple[Part, Prices]]:
    c, s = np.unravel_index(np.argmax(score), score.shape)
    for updates in (True, False):
        yield replace(part, scope=part.scope.decided(int(c), int(s), updates)), prices


def _by_group(part: Part, found: Descended, score: Array) -> Iterator[tuple[Part, Prices]]:
    p, g = map(int, np.unravel_index(np.argmax(score), score.shape))
    open_groups, toll = part.opened.copy(), found.prices.toll.copy()
    open_groups[p, g], toll[part.groups.pool == p, g] = True, 0.0
    yield replace(part, opened=open_groups), Prices(found.prices.share, toll)
    closed = part.groups.closed.copy()
    closed[p, g] = True
    left, below = with_closed(part, found, closed)
    yield left, below.prices
