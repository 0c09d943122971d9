"""The instance document of layer_assignment and the rules that look across its members."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from edgeplan.models.faults import Fault
from edgeplan.models.fields import ANY_ARRAY, Count, Document, Name, NonNegative, PositiveCount
from edgeplan.models.model import Model, model_faults
from edgeplan.models.network import Network, network_faults
from edgeplan.models.raw import items_at, member, number_at, object_at, repeated_values, string_at


class Training(Document):
    """How every node trains; the ``*_bytes`` but the reserve are bytes per parameter."""

    batch_size: PositiveCount
    """Samples of one local step."""
    local_steps: PositiveCount = 1
    """Steps of one visit."""
    pass_: Literal["training", "inference"] = Field(default="training", alias="pass")
    """Training, or forward passes alone (pipeline only)."""
    weight_bytes: NonNegative
    """Of a trained weight, and of a weight on its way."""
    frozen_weight_bytes: NonNegative | None = None
    """Of a weight that is not trained; null is as `weight_bytes`."""
    gradient_bytes: NonNegative
    """Of a gradient."""
    optimizer_bytes: NonNegative
    """Of the optimizer's state."""
    reserve_bytes: Count = 0
    """Memory of a node that training cannot use, in bytes."""


class Objective(Document):
    """Weights of the objective's terms; a weight left out is 0."""

    time_s: NonNegative = 0.0
    """Weight of the round's time."""
    energy_j: NonNegative = 0.0
    """Weight of the energy."""
    price: NonNegative = 0.0
    """Weight of the price."""
    bottleneck_s: NonNegative = 0.0
    """Weight of the longest compute time of a stage."""


class Limits(Document):
    """Bounds on the whole plan; null is no bound."""

    min_nodes: PositiveCount = 1
    """Fewest stages."""
    max_nodes: PositiveCount | None = None
    """Most stages."""
    max_layers_per_node: PositiveCount | None = None
    """Most own layers of a stage."""
    min_samples: Count = 0
    """Fewest samples of the used nodes together."""
    deadline_s: NonNegative | None = None
    """Latest end of the round."""
    budget_price: NonNegative | None = None
    """Highest price of the round."""
    budget_energy_j: NonNegative | None = None
    """Most energy of the round."""


Forbidden = Annotated[tuple[Name, Name], ANY_ARRAY]


class LayerAssignmentInstance(Document):
    """An instance as written; what crosses members is checked by `instance_faults`."""

    format: Literal["edgeplan/1"]
    """Version of the wire format."""
    problem: Literal["layer_assignment"]
    """Which problem this is an instance of."""
    name: Name = "instance"
    """Title of the instance."""
    model: Model
    """The neural network."""
    network: Network
    """The devices."""
    training: Training
    """Batch size, steps and bytes per parameter."""
    schedule: Literal["serial", "pipeline"]
    """One node after another, or all at once on micro-batches."""
    shared_layers: Annotated[tuple[Name, ...], ANY_ARRAY] = ()
    """Layers that every node trains (serial)."""
    train_shared: bool = True
    """Whether the shared layers are trained at all."""
    transport: Literal["peer", "server"] = "peer"
    """How parameters travel (serial)."""
    server: Name | None = None
    """Id of the server's node, with transport server."""
    micro_batches: PositiveCount = 1
    """Micro-batches of a batch (pipeline)."""
    in_flight: Literal["1f1b", "gpipe"] = "1f1b"
    """Which micro-batches a stage holds (pipeline)."""
    overlap: bool = True
    """Whether transfers overlap with computing (pipeline)."""
    node_order: Literal["free", "given"] = "free"
    """Whether the used nodes must appear in the order of `network.nodes`."""
    objective: Objective = Objective(time_s=1.0)
    """Weights of the objective."""
    limits: Limits = Limits()
    """Bounds on the whole plan."""
    pin: dict[Name, Name] = Field(default_factory=dict)
    """Layer to the node that must own it."""
    forbid: Annotated[tuple[Forbidden, ...], ANY_ARRAY] = ()
    """Pairs of a layer and a node that must not own it."""


def instance_faults(raw: Any) -> Iterator[Fault]:
    """Yield the faults that show only across members of the raw instance document."""
    layers = [string_at(layer, "name") for layer in items_at(raw, "model", "layers")]
    nodes = [string_at(node, "id") for node in items_at(raw, "network", "nodes")]
    yield from model_faults(member(raw, "model"), ("model",))
    yield from network_faults(member(raw, "network"), layers, ("network",))
    yield from _shared_layer_faults(raw, layers)
    yield from _transport_faults(raw, nodes)
    yield from _assignment_faults(raw, set(layers), set(nodes))
    yield from _schedule_faults(raw)
    yield from _objective_faults(raw)


def _shared_layer_faults(raw: Any, layer_names: list[str | None]) -> Iterator[Fault]:
    layers = set(layer_names)
    shared = items_at(raw, "shared_layers")
    names = [name if isinstance(name, str) else None for name in shared]
    for index, name in repeated_values(names):
        yield Fault(("shared_layers", index), "layer appears earlier in the list; keep one", name)
    for index, name in enumerate(names):
        if name is not None and layers and name not in layers:
            rule = "must be a layer of the model; no layer has this name"
            yield Fault(("shared_layers", index), rule, name)
    if layers and layers <= {*names}:
        yield Fault(("shared_layers",), "must leave a layer to assign; share fewer layers")
    if shared and string_at(raw, "schedule") == "pipeline":
        rule = "must be empty with schedule pipeline; empty it or use schedule serial"
        yield Fault(("shared_layers",), rule, shared)


def _transport_faults(raw: Any, nodes: list[str | None]) -> Iterator[Fault]:
    server, transport = member(raw, "server"), member(raw, "transport")
    if isinstance(server, str):
        if nodes and server not in nodes:
            yield Fault(("server",), "must be a node's id; no node has this id", server)
        if transport in (None, "peer"):
            rule = "must be null with transport peer; drop it or use transport server"
            yield Fault(("server",), rule, server)
    elif server is None and transport == "server":
        yield Fault(("server",), "must name a node with transport server; add it")


def _assignment_faults(raw: Any, layers: set[str | None], nodes: set[str | None]) -> Iterator[Fault]:
    shared = {name for name in items_at(raw, "shared_layers") if isinstance(name, str)}
    server = string_at(raw, "server")
    for layer, node in object_at(raw, "pin").items():
        if layers and layer not in layers:
            yield Fault(("pin", layer), "must pin a layer of the model; no layer has this name", node)
        if layer in shared:
            yield Fault(("pin", layer), "must not pin a shared layer; every node has it", node)
        if isinstance(node, str):
            yield from _own_node_faults(node, nodes, server, ("pin", layer))
    for index, pair in enumerate(items_at(raw, "forbid")):
        if not (isinstance(pair, list) and len(pair) == 2):
            continue
        layer, node = pair
        if isinstance(layer, str) and layers and layer not in layers:
            rule = "must be a layer of the model; no layer has this name"
            yield Fault(("forbid", index, 0), rule, layer)
        if isinstance(layer, str) and layer in shared:
            yield Fault(("forbid", index, 0), "must not be a shared layer; every node has it", layer)
        if isinstance(node, str):
            yield from _own_node_faults(node, nodes, server, ("forbid", index, 1))


def _own_node_faults(
    node: str, nodes: set[str | None], server: str | None, path: tuple[str | int, ...]
) -> Iterator[Fault]:
    if nodes and node not in nodes:
        yield Fault(path, "must be a node's id; no node has this id", node)
    if node == server:
        yield Fault(path, "must not be the server, it owns no layer; name another node", node)


def _schedule_faults(raw: Any) -> Iterator[Fault]:
    if string_at(raw, "schedule") == "serial" and string_at(raw, "training", "pass") == "inference":
        rule = "must be training with schedule serial; use schedule pipeline for inference"
        yield Fault(("training", "pass"), rule, "inference")
    batch_size, micro_batches = number_at(raw, "training", "batch_size"), number_at(raw, "micro_batches")
    if not (isinstance(batch_size, int) and isinstance(micro_batches, int) and micro_batches >= 1):
        return
    if batch_size % micro_batches:
        rule = f"must divide batch_size {batch_size}; use one of its divisors"
        yield Fault(("micro_batches",), rule, micro_batches)


def _objective_faults(raw: Any) -> Iterator[Fault]:
    weights = member(raw, "objective")
    if not isinstance(weights, dict):
        return
    given = [number_at(weights, name) for name in Objective.model_fields if name in weights]
    if all(weight is not None and weight <= 0 for weight in given):
        yield Fault(("objective",), "must have one positive weight; give one", weights)
