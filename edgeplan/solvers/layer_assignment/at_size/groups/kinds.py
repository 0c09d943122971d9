"""Nodes that cost the same are one kind: columns of figures, and how many nodes share them.

Every figure is a column in which less is never worse (memory and samples are stored negated), so the
elementwise least of several kinds costs at most what each of them costs: the corner that stands for a
group of kinds in the relaxation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.network import Node
from edgeplan.solvers.layer_assignment.steps.stage_table import Bools, Floats, Ints

FIGURES = (
    "unit_s",  # seconds for a unit of the run's work: 1 / flops_per_s, or 1 with measured timings
    "in_latency_s",
    "in_s_per_bit",
    "out_latency_s",
    "out_s_per_bit",
    "compute_power_w",
    "transmit_power_w",
    "price_per_s",
    "lacking_memory",  # minus the number of runs that fit
    "lacking_samples",  # minus the samples
)
ROW = {name: row for row, name in enumerate(FIGURES)}
_MAX_SPECIAL = 200  # nodes with pins or forbids that get a column of their own


@dataclass(frozen=True)
class Kinds:
    """Distinct nodes of an instance.

    Parameters
    ----------
    figures
        Shape [FIGURES, kinds].
    work_type
        Which column of the runs' work holds, shape [kinds].
    special
        0, or a number of its own for a node that pins or forbids single out, shape [kinds].
    members
        Indices in ``network.nodes`` of the nodes of each kind.
    is_linked
        Whether explicit links make peers of a kind cheaper in the figures than most are, shape [kinds].
    """

    figures: Floats
    work_type: Ints
    special: Ints
    members: tuple[Ints, ...]
    is_linked: Bools

    @cached_property
    def sizes(self) -> Ints:
        """Number of nodes of each kind, shape [kinds]."""
        return np.array([len(nodes) for nodes in self.members], dtype=np.int64)


def kinds_of(problem: LayerAssignment, needs: Ints) -> Kinds:
    """Group the nodes that may serve by their figures.

    Parameters
    ----------
    needs
        Bytes that runs need, sorted; nodes with room for as many of them are alike.
    """
    network, server = problem.instance.network, problem.server
    indices = np.array([k for k, node in enumerate(network.nodes) if node.id != server], dtype=np.int64)
    nodes = [network.nodes[k] for k in indices]
    keys = np.concatenate([_figures(problem, nodes, needs), _work_types(problem, nodes)[None]])
    keys = np.concatenate([keys, _special(problem, nodes)[None]]).T
    distinct, kind_of = np.unique(keys, axis=0, return_inverse=True)
    order = np.argsort(kind_of, kind="stable")
    starts = np.searchsorted(kind_of[order], np.arange(1, len(distinct)))
    members = tuple(np.split(indices[order], starts))
    linked = (
        {end for link in network.links for end in (link.source, link.target)} if server is None else set()
    )
    return Kinds(
        figures=np.ascontiguousarray(distinct[:, :-2].T),
        work_type=distinct[:, -2].astype(np.int64),
        special=distinct[:, -1].astype(np.int64),
        members=members,
        is_linked=np.array([network.nodes[int(nodes[0])].id in linked for nodes in members]),
    )


def work_types(problem: LayerAssignment) -> tuple[str, ...]:
    """Node types with measured timings; their work stands in columns 1 and on, FLOPs in column 0."""
    return tuple(problem.instance.network.timings)


def _work_types(problem: LayerAssignment, nodes: list[Node]) -> Floats:
    number = {name: k for k, name in enumerate(work_types(problem), start=1)}
    return np.array(
        [number.get(node.type, 0) if "type" in node.model_fields_set else 0 for node in nodes], dtype=float
    )


def _figures(problem: LayerAssignment, nodes: list[Node], needs: Ints) -> Floats:
    """Figures of each node; those that no weight or limit makes matter are zero."""
    weights, limits = problem.instance.objective, problem.instance.limits
    timed = _work_types(problem, nodes) > 0
    figures = np.zeros((len(FIGURES), len(nodes)))
    speeds = np.array([node.flops_per_s for node in nodes])
    figures[ROW["unit_s"]] = np.where(timed, 1.0, 1.0 / speeds)
    latency = np.array([node.latency_s for node in nodes])
    figures[ROW["in_latency_s"]], figures[ROW["out_latency_s"]] = latency, latency
    figures[ROW["in_s_per_bit"]] = [_inverse(node.downlink_bit_per_s) for node in nodes]
    figures[ROW["out_s_per_bit"]] = [_inverse(node.uplink_bit_per_s) for node in nodes]
    _apply_server(problem, figures)
    _apply_links(problem, nodes, figures)
    if weights.energy_j > 0:
        figures[ROW["compute_power_w"]] = [node.compute_power_w for node in nodes]
        figures[ROW["transmit_power_w"]] = [node.transmit_power_w for node in nodes]
    if weights.price > 0:
        figures[ROW["price_per_s"]] = [node.price_per_s for node in nodes]
    held = np.array([node.memory_bytes for node in nodes])
    figures[ROW["lacking_memory"]] = -np.searchsorted(needs, held, side="right")
    if limits.min_samples > 0:
        figures[ROW["lacking_samples"]] = [-min(node.num_samples, limits.min_samples) for node in nodes]
    return figures


def _inverse(rate: float | None) -> float:
    return 0.0 if rate is None else 1.0 / rate


def _apply_server(problem: LayerAssignment, figures: Floats) -> None:
    """With a server every transfer has it at the other end."""
    if problem.server is None:
        return
    network = problem.instance.network
    server = network.nodes[network.index_of[problem.server]]
    figures[[ROW["in_latency_s"], ROW["out_latency_s"]]] += server.latency_s
    for name, inverse in (
        ("in_s_per_bit", _inverse(server.uplink_bit_per_s)),
        ("out_s_per_bit", _inverse(server.downlink_bit_per_s)),
    ):
        figures[ROW[name]] = np.maximum(figures[ROW[name]], inverse)


def _apply_links(problem: LayerAssignment, nodes: list[Node], figures: Floats) -> None:
    """Give explicit links: exactly to and from a server, the best of each end between peers."""
    column_of = {node.id: column for column, node in enumerate(nodes)}
    for link in problem.instance.network.links:
        inverse = _inverse(link.bit_per_s)
        for end, other, latency, rate in (
            (link.source, link.target, "out_latency_s", "out_s_per_bit"),
            (link.target, link.source, "in_latency_s", "in_s_per_bit"),
        ):
            if end not in column_of:
                continue
            column = column_of[end]
            if other == problem.server:
                figures[ROW[latency], column], figures[ROW[rate], column] = link.latency_s, inverse
            elif problem.server is None:
                figures[ROW[latency], column] = 0.0
                figures[ROW[rate], column] = min(figures[ROW[rate], column], inverse)


def _special(problem: LayerAssignment, nodes: list[Node]) -> Floats:
    """Numbers for the nodes of pins, and of forbids and links where they are few (leaving out relaxes)."""
    pinned = set(problem.instance.pin.values())
    forbidden = {node for _, node in problem.instance.forbid}
    linked = {end for link in problem.instance.network.links for end in (link.source, link.target)}
    singled = set(pinned)
    for some in (forbidden, linked if problem.server is None else set()):
        singled |= some if len(singled | some) <= _MAX_SPECIAL else set()
    return np.array([k if node.id in singled else 0 for k, node in enumerate(nodes, start=1)], dtype=float)
