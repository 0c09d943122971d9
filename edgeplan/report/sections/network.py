"""The network: its nodes and links, and the route that the round takes through it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.network import Network, Node
from edgeplan.report.content import Block, Cell, Picture, Section, Table, cut_note
from edgeplan.report.figures.canvas import MAX_ROWS
from edgeplan.report.figures.nodes import nodes_svg
from edgeplan.report.figures.route import Stop, route_svg
from edgeplan.report.plan_metrics import StageMetrics
from edgeplan.report.sections.judged import Judged
from edgeplan.report.units import bytes_text, counted, decimal_text, range_text, rate_text, seconds_text

_MAX_NODES = 200
_MAX_TYPES = 100
_MAX_LINKS = 100


def network_section(problem: LayerAssignment, judged: Judged | None) -> Section:
    """Lay out the network, and the route of a plan through it where there is one."""
    network, server = problem.instance.network, problem.server
    stage_of = judged.stage_of if judged else {}
    blocks: list[Block] = []
    if judged is not None and judged.plan is not None and judged.metrics is not None:
        blocks += _route(problem, judged, judged.metrics.stages)
    caption = "Filled marks are the nodes that the plan uses." if stage_of else ""
    blocks.append(Picture("Nodes by speed and memory", nodes_svg("nodes", network.nodes, stage_of), caption))
    blocks.append(_types(network.nodes, stage_of))
    blocks.append(_nodes(network.nodes, stage_of, server))
    if network.links:
        blocks.append(_links(network))
    used = f", {len(stage_of):,} of them used" if stage_of else ""
    links = (
        f"{counted(len(network.links), 'link')} listed one by one" if network.links else "no explicit links"
    )
    lead = f"{counted(len(network.nodes), 'node')}{used}; {links}."
    return Section("network", "Network", lead, tuple(blocks))


def _route(problem: LayerAssignment, judged: Judged, stages: Sequence[StageMetrics]) -> list[Block]:
    instance = problem.instance
    if judged.plan is None or not stages:
        return []
    counts = [len(stage.layers) for stage in judged.plan.stages]
    nodes = instance.network.nodes
    index_of = instance.network.index_of
    stops = [
        Stop(
            stage.node,
            nodes[index_of[stage.node]].type,
            _lines(stage, count, server=problem.server is not None),
            stage.bytes_in,
            stage.transfer_in_s,
        )
        for stage, count in zip(stages, counts, strict=True)
    ]
    how = _how(problem, len(stops))
    caption = " ".join(part for part in (how, cut_note(MAX_ROWS, len(stops), "stops")) if part)
    svg = route_svg("route", stops, server=problem.server, is_pipeline=problem.is_pipeline)
    title = "The pipeline as a route" if problem.is_pipeline else "The round as a route"
    picture = Picture(title, svg, caption)
    return [picture, _hops(problem, stages)] if len(stops) > 1 or problem.server else [picture]


def _lines(stage: StageMetrics, count: int, *, server: bool) -> tuple[str, ...]:
    layers = counted(count, "layer")
    if server:
        return (layers, f"in {bytes_text(stage.bytes_in)} · out {bytes_text(stage.bytes_out)}")
    return (layers, f"computes {seconds_text(stage.compute_s)}")


def _how(problem: LayerAssignment, num_stops: int) -> str:
    if problem.server is not None:
        return f"Every visit fetches parameters from the server {problem.server} and sends its own back."
    if num_stops == 1:
        return "One node does everything; nothing moves."
    if problem.is_pipeline:
        return "Every link carries activations forward and gradients back; figures are those of a batch."
    return "Every node hands the parameters on to the next; the last one closes the cycle."


def _hops(problem: LayerAssignment, stages: Sequence[StageMetrics]) -> Table:
    rows = []
    server = problem.server
    for k, stage in enumerate(stages):
        if problem.is_pipeline and k == 0:
            continue
        source = stages[k - 1].node if server is None else server
        rows.append(_hop(problem.instance.network, source, stage.node, stage.bytes_in, stage.transfer_in_s))
        if server is not None:
            rows.append(
                _hop(problem.instance.network, stage.node, server, stage.bytes_out, stage.transfer_out_s)
            )
    columns = ("from", "to", "rate>", "latency>", "bytes>", "time>")
    title = "Links of the pipeline, both ways" if problem.is_pipeline else "Hops of a round"
    return Table.of(title, columns, rows, folded=len(rows) > 12)


def _hop(
    network: Network, source: str, target: str, num_bytes: int, seconds: float
) -> tuple[str | Cell, ...]:
    latency_s, rate = network.latency_and_rate(source, target)
    moved = Cell(bytes_text(num_bytes), "", f"{num_bytes:,} bytes")
    return (source, target, rate_text(rate), seconds_text(latency_s), moved, seconds_text(seconds))


def _types(nodes: Sequence[Node], stage_of: dict[str, int]) -> Table:
    groups: dict[str, list[Node]] = {}
    for node in nodes:
        groups.setdefault(node.type, []).append(node)
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))[:_MAX_TYPES]
    rows = [_type_row(kind, some, stage_of) for kind, some in ordered]
    columns = ("type", "nodes>", "used>", "speed>", "memory>", "uplink>", "downlink>")
    return Table.of("Nodes by type", columns, rows, note=cut_note(len(rows), len(groups), "types"))


def _type_row(kind: str, nodes: Sequence[Node], stage_of: dict[str, int]) -> tuple[str, ...]:
    speeds, memories = [node.flops_per_s for node in nodes], [node.memory_bytes for node in nodes]
    return (
        kind,
        f"{len(nodes):,}",
        f"{sum(node.id in stage_of for node in nodes):,}",
        range_text(decimal_text(min(speeds), "FLOP/s"), decimal_text(max(speeds), "FLOP/s")),
        range_text(bytes_text(min(memories)), bytes_text(max(memories))),
        _rates(node.uplink_bit_per_s for node in nodes),
        _rates(node.downlink_bit_per_s for node in nodes),
    )


def _rates(rates: Iterable[float | None]) -> str:
    finite = [float("inf") if rate is None else rate for rate in rates]
    return range_text(rate_text(min(finite)), rate_text(max(finite)))


_NODE_COLUMNS = (
    "node",
    "type",
    "stage>",
    "speed>",
    "memory>",
    "uplink>",
    "downlink>",
    "latency>",
    "samples>",
)


def _nodes(nodes: Sequence[Node], stage_of: dict[str, int], server: str | None) -> Table:
    role = {node: str(stage) for node, stage in stage_of.items()}
    if server is not None:
        role[server] = "server"
    last = len(stage_of) + 1
    ordered = sorted(nodes, key=lambda node: stage_of.get(node.id, 0 if node.id == server else last))
    rows = [_node_row(node, role.get(node.id)) for node in ordered[:_MAX_NODES]]
    note = cut_note(len(rows), len(nodes), "nodes")
    return Table.of("Nodes", _NODE_COLUMNS, rows, note=note, folded=len(rows) > 16)


def _node_row(node: Node, role: str | None) -> tuple[str | Cell, ...]:
    return (
        Cell(node.id, "" if role else "quiet"),
        node.type,
        role or "–",
        decimal_text(node.flops_per_s, "FLOP/s"),
        bytes_text(node.memory_bytes),
        rate_text(node.uplink_bit_per_s),
        rate_text(node.downlink_bit_per_s),
        seconds_text(node.latency_s),
        f"{node.num_samples:,}" if node.num_samples else "–",
    )


def _links(network: Network) -> Table:
    rows = [
        (link.source, link.target, rate_text(link.bit_per_s), seconds_text(link.latency_s))
        for link in network.links[:_MAX_LINKS]
    ]
    note = cut_note(len(rows), len(network.links), "links")
    columns = ("from", "to", "rate>", "latency>")
    return Table.of("Explicit links", columns, rows, note=note, folded=len(rows) > 12)
