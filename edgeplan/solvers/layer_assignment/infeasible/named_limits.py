"""The limits of an instance by name: how to lift one, and what it measures."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from edgeplan.models.faults import Path
from edgeplan.models.fields import MAX_INTEGER
from edgeplan.models.layer_assignment import LayerAssignment

Document = dict[str, Any]


@dataclass(frozen=True)
class NamedLimit:
    """One limit.

    Parameters
    ----------
    path
        Its place in the instance.
    have
        The value there.
    measure
        What a plan needs of it: ``memory`` of a node, ``nodes``, ``layers``, ``samples``, ``time_s``,
        ``energy_j``, ``price``; None where it can only be dropped.
    lift
        Takes the limit out of an instance document, in place.
    text
        The limit in words.
    """

    path: Path
    have: Any
    measure: str | None
    lift: Callable[[Document], None]
    text: str


def named_limits(problem: LayerAssignment) -> list[NamedLimit]:
    """List every limit that could be lifted, those of single nodes last."""
    return [*_pins(problem), *_forbids(problem), *_of_the_plan(problem), *_of_nodes(problem)]


def without(problem: LayerAssignment, limits: list[NamedLimit]) -> LayerAssignment:
    """Return the problem with the limits lifted."""
    document = copy.deepcopy(problem.to_document())
    # forbids are removed from the back, so that the places of the others hold
    for limit in sorted(limits, key=lambda limit: [str(part).zfill(9) for part in limit.path], reverse=True):
        limit.lift(document)
    return LayerAssignment.from_document(document)


def _pins(problem: LayerAssignment) -> Iterator[NamedLimit]:
    for layer, node in problem.instance.pin.items():

        def lift(document: Document, layer: str = layer) -> None:
            del document["pin"][layer]

        yield NamedLimit(("pin", layer), node, None, lift, f"layer {layer} is pinned to {node}")


def _forbids(problem: LayerAssignment) -> Iterator[NamedLimit]:
    for index, (layer, node) in enumerate(problem.instance.forbid):

        def lift(document: Document, index: int = index) -> None:
            del document["forbid"][index]

        yield NamedLimit(("forbid", index), node, None, lift, f"layer {layer} is forbidden on {node}")


_PLAN_LIMITS: dict[str, tuple[object, str, str]] = {
    "min_nodes": (1, "nodes", "at least {} nodes"),
    "max_nodes": (None, "nodes", "at most {} nodes"),
    "max_layers_per_node": (None, "layers", "at most {} layers on a node"),
    "min_samples": (0, "samples", "at least {} samples on the used nodes"),
    "deadline_s": (None, "time_s", "the round within {} s"),
    "budget_price": (None, "price", "a price of at most {}"),
    "budget_energy_j": (None, "energy_j", "at most {} J"),
}


def _of_the_plan(problem: LayerAssignment) -> Iterator[NamedLimit]:
    for name, (neutral, measure, text) in _PLAN_LIMITS.items():
        have = getattr(problem.instance.limits, name)
        if have == neutral:
            continue

        def lift(document: Document, name: str = name, neutral: object = neutral) -> None:
            document["limits"][name] = neutral

        yield NamedLimit(("limits", name), have, measure, lift, text.format(have))


def _of_nodes(problem: LayerAssignment) -> Iterator[NamedLimit]:
    for index, node in enumerate(problem.instance.network.nodes):
        if node.id == problem.server:
            continue
        if node.available_s is not None and not problem.is_pipeline:

            def open_always(document: Document, index: int = index) -> None:
                document["network"]["nodes"][index]["available_s"] = None

            path: Path = ("network", "nodes", index, "available_s")
            windows = [list(window) for window in node.available_s]
            yield NamedLimit(path, str(windows), None, open_always, f"node {node.id} computes in {windows}")

        def add_memory(document: Document, index: int = index) -> None:
            document["network"]["nodes"][index]["memory_bytes"] = MAX_INTEGER

        path = ("network", "nodes", index, "memory_bytes")
        text = f"node {node.id} has {node.memory_bytes} bytes of memory"
        yield NamedLimit(path, node.memory_bytes, "memory", add_memory, text)
