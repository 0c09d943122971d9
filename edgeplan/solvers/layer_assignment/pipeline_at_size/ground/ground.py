"""The ground that chains are built on: classes of nodes, and which of them may be left out with proof.

A node that another one undercuts in every figure can be replaced by it wherever nodes may serve again.
That does not hold against a node with links or forbids of its own, nor for one with links or pins. Where
too many classes remain, figures are rounded to the better side until few enough do: chains get better,
never worse, so a bound stays a bound.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.alike import Alike, grouped
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.field import Field
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.front import front, undominated
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.nodes import (
    BY_FLOPS,
    NOT_ONE_NODE,
    Bools,
    Floats,
    Ints,
    NodeColumns,
)
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.runs import relaxed
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground.terms import Terms

MOST_SPECIAL = 300
"""Nodes with links of their own, and with forbids, beyond which these are relaxed."""
_ROUNDINGS = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 10.0, 1e3, 1e9)


@dataclass(frozen=True)
class Ground:
    """Classes of nodes, real ones or relaxed.

    Parameters
    ----------
    field
        All nodes.
    terms
        What counts.
    alike
        The classes.
    rigid
        Classes that neither dominate nor are dominated.
    weak
        Classes that do not dominate; a superset.
    is_ordered
        Whether chains keep a given order of the nodes, for which no class is left out.
    """

    field: Field
    terms: Terms
    alike: Alike
    rigid: Bools
    weak: Bools
    is_ordered: bool = False

    @property
    def classes(self) -> NodeColumns:
        """One entry a class."""
        return self.alike.classes

    @cached_property
    def _figures(self) -> Floats:
        """Figures by class, the lower the better."""
        nodes, needs = self.classes, self.field.runs.memory_bytes
        longest = min(self.field.runs.most_layers, self.field.runs.num_layers)
        n = self.field.runs.num_layers
        enough = max(int(needs[:, start, min(start + longest, n)].max()) for start in range(n))
        columns = [
            np.where(nodes.kind == BY_FLOPS, -nodes.flops_per_s, 0.0),
            -nodes.uplink,
            -nodes.downlink,
            nodes.latency_s,
            -np.minimum(nodes.memory_bytes, enough).astype(np.float64),
            *self.terms.dominance(nodes),
        ]
        return np.stack(columns, axis=1)

    def live(self, threshold_s: float) -> Bools:
        """Classes that may serve a stage of a plan within the threshold."""
        runs, nodes, most_s = self.field.runs, self.classes, relaxed(threshold_s)
        shortest = int(np.argmin(np.diagonal(runs.flops, offset=1)))
        alive = (runs.compute_s(nodes, shortest, shortest + 1) <= most_s) | (nodes.kind != BY_FLOPS)
        cuts = runs.cut_bytes[1:-1]
        alive &= self.best_link_s(nodes, float(cuts.min(initial=np.inf))) <= most_s
        alive |= runs.compute_s(nodes, 0, runs.num_layers) <= most_s  # needs no link
        return np.asarray(alive | self.rigid)

    def best_link_s(self, nodes: NodeColumns, num_bytes: float) -> Floats:
        """Least time of a link of each node, to the best conceivable partner."""
        if num_bytes == 0:
            out = back = np.zeros(len(nodes))
        else:
            with np.errstate(over="ignore", invalid="ignore"):
                out, back = 8.0 * num_bytes / nodes.uplink, 8.0 * num_bytes / nodes.downlink
        if self.field.problem.pipeline.is_training:
            return 2 * nodes.latency_s + out + back
        return nodes.latency_s + np.minimum(out, back)

    def rows(self, live: Bools, priced: Bools, *, most: int | None = None) -> Ints | None:
        """Classes that chains need: the priced, the rigid, and of the others those not dominated.

        Parameters
        ----------
        live
            Classes to choose from.
        priced
            Classes that are too dear to replace others.
        most
            Give up, with None, where there are more.
        """
        if self.is_ordered:
            return np.flatnonzero(live)
        chosen = [np.flatnonzero(live & (priced | self.rigid))]
        rest = live & ~priced & ~self.rigid
        for kind in np.unique(self.classes.kind[rest]):
            of_kind = rest & (self.classes.kind == kind)
            strong, weak = np.flatnonzero(of_kind & ~self.weak), np.flatnonzero(of_kind & self.weak)
            kept = front(self._figures[strong], most=most)
            if kept is None:
                return None
            chosen.append(strong[kept])
            chosen.append(weak[undominated(self._figures[weak], self._figures[strong[kept]])])
        rows = np.sort(np.concatenate(chosen))
        return None if most is not None and len(rows) > most else rows


def real_ground(field: Field, terms: Terms) -> Ground:
    """Return the nodes as they are; equal ones are in one class unless their order matters."""
    rigid = field.rules.pinned | field.links.linked
    if field.problem.instance.node_order == "given":
        everyone = np.ones(len(field.nodes), dtype=np.bool_)
        return Ground(
            field, terms, grouped(field.nodes, everyone), rigid, rigid | field.rules.forbidding, True
        )
    return _ground(field, terms, field.nodes, rigid, field.rules.forbidding)


def bounding_ground(real: Ground, *, most: int) -> Ground:
    """Return a ground of few enough undominated classes whose chains are no worse than real ones."""
    if _rows_fit(real, most) and (real.is_ordered or real.weak.sum() <= MOST_SPECIAL):
        return real
    field, terms = real.field, real.terms
    nodes, linked = field.nodes, field.links.linked
    pinned, forbidden = field.rules.pinned, field.rules.forbidding
    if linked.sum() > MOST_SPECIAL:
        nodes, linked = _with_best_links(field), np.zeros_like(linked)
    if forbidden.sum() > MOST_SPECIAL:
        forbidden = np.zeros_like(forbidden)
    named = pinned | linked | forbidden
    nodes = replace(nodes, index=np.where(named, nodes.index, NOT_ONE_NODE))
    for ratio in _ROUNDINGS:
        ground = _ground(field, terms, _rounded(nodes, ratio), pinned | linked, forbidden)
        if _rows_fit(ground, most):
            break
    return ground


def _rows_fit(ground: Ground, most: int) -> bool:
    everyone = np.ones(len(ground.classes), dtype=np.bool_)
    rows = ground.rows(everyone, ~everyone, most=most)
    return rows is not None and len(rows) <= most


def _ground(field: Field, terms: Terms, nodes: NodeColumns, rigid: Bools, forbidden: Bools) -> Ground:
    alike = grouped(nodes, rigid | forbidden)
    hard = np.zeros(len(alike.classes), dtype=np.bool_)
    soft = hard.copy()
    hard[alike.class_of[rigid]] = True
    soft[alike.class_of[rigid | forbidden]] = True
    return Ground(field, terms, alike, hard, soft)


def _with_best_links(field: Field) -> NodeColumns:
    """Nodes with the best figures of all their links: each link is no faster than both ends then are."""
    nodes, (sources, targets, latency_s, s_per_byte) = field.nodes, field.links.explicit
    uplink, downlink, latency = nodes.uplink.copy(), nodes.downlink.copy(), nodes.latency_s.copy()
    with np.errstate(divide="ignore", over="ignore"):
        rates = np.nextafter(8.0 / s_per_byte, np.inf)
    np.maximum.at(uplink, sources, rates)
    np.maximum.at(downlink, targets, rates)
    for ends in (sources, targets):
        np.minimum.at(latency, ends, latency_s / 2)
    return replace(nodes, uplink=uplink, downlink=downlink, latency_s=latency)


def _rounded(nodes: NodeColumns, ratio: float) -> NodeColumns:
    """Nodes with every figure rounded to the better side, by at most this ratio."""
    if ratio == 0:
        return nodes
    step = np.log1p(ratio)

    def up(values: Floats) -> Floats:
        return np.asarray(np.maximum(values, np.exp(np.ceil(np.log(values) / step) * step)))

    def down(values: Floats) -> Floats:
        with np.errstate(divide="ignore"):
            return np.asarray(np.minimum(values, np.exp(np.floor(np.log(values) / step) * step)))

    with np.errstate(over="ignore"):
        return replace(
            nodes,
            flops_per_s=up(nodes.flops_per_s),
            memory_bytes=np.minimum(up(nodes.memory_bytes.astype(np.float64)), 2.0**53 - 1).astype(np.int64),
            uplink=up(nodes.uplink),
            downlink=up(nodes.downlink),
            latency_s=down(nodes.latency_s),
            compute_power_w=down(nodes.compute_power_w),
            transmit_power_w=down(nodes.transmit_power_w),
            price_per_s=down(nodes.price_per_s),
            samples=np.zeros_like(nodes.samples),
        )
