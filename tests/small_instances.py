"""Small instances with figures that a reader can follow by hand."""

from __future__ import annotations

import copy
from typing import Any

from edgeplan.models.layer_assignment import LayerAssignment, Plan

Document = dict[str, Any]


def layer(name: str, **figures: Any) -> Document:
    """Return a layer of 10 parameters and one FLOP each way that leaves nothing in memory."""
    return {
        "name": name,
        "parameters": 10,
        "forward_flops": 1,
        "input_gradient_flops": 1,
        "weight_gradient_flops": 1,
        "output_bytes": 0,
        "saved_bytes": 0,
        "saved_frozen_bytes": 0,
    } | figures


def node(name: str, **figures: Any) -> Document:
    """Return a node of one FLOP a second and memory for everything."""
    return {"id": name, "flops_per_s": 1, "memory_bytes": 100_000} | figures


def document(
    layers: str | list[Document] = "abc", nodes: str | list[Document] = "pqr", **members: Any
) -> Document:
    """Return an instance document: layers a, b, c on nodes p, q, r unless told otherwise.

    Each node's id and layer's name is a letter; `members` replace top-level members.
    """
    given_layers = [layer(name) for name in layers] if isinstance(layers, str) else layers
    given_nodes = [node(name) for name in nodes] if isinstance(nodes, str) else nodes
    return {
        "format": "edgeplan/1",
        "problem": "layer_assignment",
        "model": {"layers": given_layers},
        "network": {"nodes": given_nodes},
        "training": {"batch_size": 1, "weight_bytes": 4, "gradient_bytes": 4, "optimizer_bytes": 8},
        "schedule": "serial",
    } | members


def problem(*args: Any, **members: Any) -> LayerAssignment:
    """Return the instance that `document` writes."""
    return LayerAssignment.from_document(document(*args, **members))


def plan(*stages: str) -> Plan:
    """Read stages such as "p:ab", "q:c": a node and its layers, a letter each."""
    pairs = [stage.split(":") for stage in stages]
    return Plan.from_document({"stages": [{"node": name, "layers": [*layers]} for name, layers in pairs]})


def changed(original: Document, pointer: str, value: Any) -> Document:
    """Return a copy of a document with the value at a pointer replaced or added."""
    result = copy.deepcopy(original)
    *parents, last = pointer.split("/")[1:]
    home: Any = result
    for part in parents:
        home = home[int(part) if isinstance(home, list) else part]
    home[int(last) if isinstance(home, list) else last] = value
    return result
