"""What one could buy or relax: every change that is worth re-solving for, in a fair order.

Each is a relaxation: the plan stays possible and costs no more than before, so only the size of the
gain is in question.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from typing import Literal

from edgeplan.models.explanation import LimitUse, LinkUse, NodeUse
from edgeplan.models.faults import Path, to_pointer
from edgeplan.models.fields import MAX_INTEGER
from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.solvers.layer_assignment.explanation.what_if import changed
from edgeplan.solvers.layer_assignment.explanation.what_if.promising import promising_unused
from edgeplan.solvers.units import figure_text

GIB, MBIT_PER_S, FASTER = 2**30, 1_000_000, 1.1
_SHARE = 0.1  # of a deadline, a budget or the samples asked for
Kind = Literal["memory", "rate", "speed", "node", "limit"]


@dataclass(frozen=True)
class Change:
    """One change of the instance.

    Parameters
    ----------
    text
        The change in words.
    kind
        What is bought.
    pointers
        What changes in the instance.
    apply
        Builds the changed instance.
    """

    text: str
    kind: Kind
    pointers: tuple[str, ...]
    apply: Callable[[], LayerAssignment]


def changes(
    problem: LayerAssignment,
    plan: Plan,
    limits: tuple[LimitUse, ...],
    nodes: tuple[NodeUse, ...],
    links: tuple[LinkUse, ...],
) -> list[Change]:
    """List the changes, the kinds by turns, within a kind the most promising first.

    Parameters
    ----------
    limits, nodes, links
        What the plan uses.
    """
    kinds = (
        _another_node(problem, nodes),
        _limits(problem, limits, nodes),
        _memory(problem, plan, nodes),
        _rates(problem, links),
        _speed(problem, nodes),
    )
    return [change for turn in zip_longest(*kinds) for change in turn if change is not None]


def _another_node(problem: LayerAssignment, nodes: tuple[NodeUse, ...]) -> Iterator[Change]:
    index_of, layer = problem.instance.network.index_of, problem.figures.own[0]

    def slowness(use: NodeUse) -> tuple[float, int]:
        node = problem.instance.network.nodes[index_of[use.node]]
        return problem.figures.compute_s(node, (layer,)), -node.memory_bytes

    best = min(nodes, key=slowness).node
    text = f"one more node like {best}"
    place = ("network", "nodes", index_of[best])
    yield _change(text, "node", [place], lambda: changed.with_copy(problem, index_of[best])[0])


def _change(text: str, kind: Kind, paths: list[Path], apply: Callable[[], LayerAssignment]) -> Change:
    return Change(text, kind, tuple(to_pointer(path) for path in paths), apply)


def _limits(
    problem: LayerAssignment, uses: tuple[LimitUse, ...], nodes: tuple[NodeUse, ...]
) -> Iterator[Change]:
    """Limits on the whole plan, those without slack first; windows of used nodes; pins, forbidden pairs."""
    for use in uses:
        name = use.pointer.rpartition("/")[2]
        value = _relaxed(name, use.have)
        text = f"{name} {figure_text(use.have)} to {figure_text(value)}"
        yield Change(text, "limit", (use.pointer,), partial(changed.with_limit, problem, name, value))
    for node_use in nodes:
        if node_use.window_slack_s is not None:
            index = problem.instance.network.index_of[node_use.node]
            place = ("network", "nodes", index, "available_s")
            apply = partial(changed.with_nodes, problem, {index: {"available_s": None}})
            yield _change(f"{node_use.node} always available", "limit", [place], apply)
    for layer, node in problem.instance.pin.items():
        text = f"{layer} not pinned to {node}"
        yield _change(text, "limit", [("pin", layer)], partial(changed.without_pin, problem, layer))
    for index, (layer, node) in enumerate(problem.instance.forbid):
        text = f"{layer} allowed on {node}"
        yield _change(text, "limit", [("forbid", index)], partial(changed.without_forbid, problem, index))


def _relaxed(name: str, have: float) -> float:
    """One more unit of a count, a tenth more of anything else."""
    if name in ("max_nodes", "max_layers_per_node"):
        return int(have) + 1
    if name == "min_nodes":
        return int(have) - 1
    return math.floor(have * (1 - _SHARE)) if name == "min_samples" else have * (1 + _SHARE)


def _memory(problem: LayerAssignment, plan: Plan, uses: tuple[NodeUse, ...]) -> Iterator[Change]:
    """Used nodes that hold no other layer first, then an unused one, then the others."""
    tight = [use.node for use in uses if not use.holds_another_layer]
    roomy = [use.node for use in uses if use.holds_another_layer]
    unused = promising_unused(problem, plan)
    for name in [*tight, *([unused] if unused else []), *roomy]:
        index = problem.instance.network.index_of[name]
        more = min(problem.instance.network.nodes[index].memory_bytes + GIB, MAX_INTEGER)
        text = f"1 GiB more memory on {name}" + (", unused so far" if name == unused else "")
        place = ("network", "nodes", index, "memory_bytes")
        apply = partial(changed.with_nodes, problem, {index: {"memory_bytes": more}})
        yield _change(text, "memory", [place], apply)


def _rates(problem: LayerAssignment, uses: tuple[LinkUse, ...]) -> Iterator[Change]:
    """The rates that hold used links back, the longest busy first."""
    busy: dict[tuple[str, ...], float] = {}
    for use in uses:
        if use.pointers:
            busy[use.pointers] = busy.get(use.pointers, 0.0) + use.seconds - use.latency_s
    for pointers in sorted(busy, key=lambda pointers: -busy[pointers]):
        text = "1 Mbit/s more " + " and ".join(_rate_text(problem, pointer) for pointer in pointers)
        yield Change(text, "rate", pointers, partial(_with_rates, problem, pointers))


def _rate_text(problem: LayerAssignment, pointer: str) -> str:
    _, _, kind, index, side = pointer.split("/")
    if kind == "links":
        link = problem.instance.network.links[int(index)]
        return f"from {link.source} to {link.target}"
    node = problem.instance.network.nodes[int(index)]
    return f"{side.partition('_')[0]} of {node.id}"


def _with_rates(problem: LayerAssignment, pointers: tuple[str, ...]) -> LayerAssignment:
    faster = problem
    for pointer in pointers:
        _, _, kind, index, side = pointer.split("/")
        if kind == "links":
            rate = problem.instance.network.links[int(index)].bit_per_s
            assert rate is not None
            faster = changed.with_link_rate(faster, int(index), rate + MBIT_PER_S)
        else:
            rate = getattr(problem.instance.network.nodes[int(index)], side)
            faster = changed.with_nodes(faster, {int(index): {side: rate + MBIT_PER_S}})
    return faster


def _speed(problem: LayerAssignment, uses: tuple[NodeUse, ...]) -> Iterator[Change]:
    """A tenth more speed on each used node, the longest busy first."""
    for use in sorted(uses, key=lambda use: -use.compute_s):
        index = problem.instance.network.index_of[use.node]
        place = ("network", "nodes", index, "flops_per_s")
        text = f"10 % more speed on {use.node}"
        yield _change(text, "speed", [place], partial(changed.with_speed, problem, index, FASTER))
