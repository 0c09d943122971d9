"""What is left of an instance when nodes are gone."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any


def without_nodes(document: dict[str, Any], away: Collection[str]) -> dict[str, Any]:
    """Return an instance document without nodes, their links, and what they must not train.

    Layers that are pinned to one of them keep their pin, so that the document is no instance any more.

    Parameters
    ----------
    document
        An instance.
    away
        Ids of the nodes that are gone.

    Examples
    --------
    >>> from edgeplan.models.layer_assignment.examples import two_layers_two_nodes
    >>> left = without_nodes(two_layers_two_nodes().to_document(), ["slow"])
    >>> [node["id"] for node in left["network"]["nodes"]]
    ['fast']
    """
    network = document["network"]
    return document | {
        "network": network
        | {
            "nodes": [node for node in network["nodes"] if node["id"] not in away],
            "links": [
                link
                for link in network.get("links", [])
                if link["source"] not in away and link["target"] not in away
            ],
        },
        "forbid": [pair for pair in document.get("forbid", []) if pair[1] not in away],
    }
