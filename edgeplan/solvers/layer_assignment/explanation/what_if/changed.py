"""Changed instances: one node, link or limit other than before.

Only what changes is validated anew, so that a network of 100,000 nodes is changed at once.
"""

from __future__ import annotations

from typing import Any

from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.layer_assignment.instance import Limits
from edgeplan.models.network import Link, Network, Node
from edgeplan.models.reading import read_document

Document = dict[str, Any]


def with_nodes(problem: LayerAssignment, changes: dict[int, Document]) -> LayerAssignment:
    """Return the instance with members of some nodes replaced.

    Parameters
    ----------
    changes
        New members by the node's place in ``network.nodes``.

    Examples
    --------
    >>> from edgeplan.models.layer_assignment.examples import two_layers_two_nodes
    >>> changed = with_nodes(two_layers_two_nodes(), {1: {"memory_bytes": 1}})
    >>> [node.memory_bytes for node in changed.instance.network.nodes]
    [20000, 1]
    """
    written, nodes = list(problem.document["network"]["nodes"]), list(problem.instance.network.nodes)
    for index, members in changes.items():
        written[index] = written[index] | members
        nodes[index] = read_document(written[index], Node)
    return _with_network(problem, {"nodes": written}, {"nodes": tuple(nodes)})


def with_link_rate(problem: LayerAssignment, index: int, bit_per_s: float) -> LayerAssignment:
    """Return the instance with another rate on an explicit link."""
    written, links = list(problem.document["network"]["links"]), list(problem.instance.network.links)
    written[index] = written[index] | {"bit_per_s": bit_per_s}
    links[index] = read_document(written[index], Link)
    return _with_network(problem, {"links": written}, {"links": tuple(links)})


def _with_network(problem: LayerAssignment, written: Document, members: Document) -> LayerAssignment:
    network = problem.instance.network
    kept = {name: getattr(network, name) for name in Network.model_fields}
    # built, not copied: a copy would keep what the old network has cached
    changed = Network.model_construct(network.model_fields_set | {*members}, **(kept | members))
    instance = problem.instance.model_copy(update={"network": changed})
    document = problem.document | {"network": problem.document["network"] | written}
    return LayerAssignment(instance, document)


def with_limit(problem: LayerAssignment, name: str, value: float | None) -> LayerAssignment:
    """Return the instance with another limit on the whole plan."""
    written = problem.document.get("limits", {}) | {name: value}
    instance = problem.instance.model_copy(update={"limits": read_document(written, Limits)})
    return LayerAssignment(instance, problem.document | {"limits": written})


def with_speed(problem: LayerAssignment, index: int, factor: float) -> LayerAssignment:
    """Return the instance with a faster node; measured timings are scaled for it alone."""
    node = problem.instance.network.nodes[index]
    members: Document = {"flops_per_s": node.flops_per_s * factor}
    if problem.figures.timings(node) is None:
        return with_nodes(problem, {index: members})
    network = problem.document["network"]
    faster = _unused(f"{node.type} x {factor:g}", {*network["timings"]})
    entries = {
        layer: {name: seconds / factor for name, seconds in entry.items()}
        for layer, entry in network["timings"][node.type].items()
    }
    nodes = list(network["nodes"])
    nodes[index] = nodes[index] | members | {"type": faster}
    timings = network["timings"] | {faster: entries}
    return problem.replace(network=network | {"nodes": nodes, "timings": timings})


def with_copy(problem: LayerAssignment, index: int) -> tuple[LayerAssignment, str]:
    """Return the instance with one more node like this one, its links and what it must not own too.

    The copy stands right behind the original, for a given order of nodes.
    """
    network, node = problem.document["network"], problem.instance.network.nodes[index]
    name = _unused(f"{node.id}-copy", {*problem.instance.network.index_of})
    nodes = list(network["nodes"])
    nodes.insert(index + 1, nodes[index] | {"id": name})
    links = [*network.get("links", [])]
    links += [link | {"source": name} for link in links if link["source"] == node.id]
    links += [link | {"target": name} for link in network.get("links", []) if link["target"] == node.id]
    forbid = [*problem.document.get("forbid", [])]
    forbid += [[layer, name] for layer, owner in forbid if owner == node.id]
    changed = problem.replace(network=network | {"nodes": nodes, "links": links}, forbid=forbid)
    return changed, name


def without_pin(problem: LayerAssignment, layer: str) -> LayerAssignment:
    """Return the instance without the pin of a layer."""
    return problem.replace(
        pin={name: node for name, node in problem.document["pin"].items() if name != layer}
    )


def without_forbid(problem: LayerAssignment, index: int) -> LayerAssignment:
    """Return the instance without one of its forbidden pairs."""
    forbid = problem.document["forbid"]
    return problem.replace(forbid=[*forbid[:index], *forbid[index + 1 :]])


def _unused(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "'"
    return name
