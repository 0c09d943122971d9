"""Documents of segment_scheduling that break one rule each, with the pointer of the fault."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from independent.malformed import Malformed, Place, pointer_to

Document = dict[str, Any]
Fault = Callable[[random.Random, Document], Place | None]

# What a field holds; the first letters of a number say what it must be.
_BLOCK = {
    "name": "string",
    "parameters": "integer",
    "forward_flops": "number",
    "input_gradient_flops": "number",
    "weight_gradient_flops": "number",
    "output_bytes": "integer",
    "saved_bytes": "integer",
    "saved_frozen_bytes": "integer",
}
_DEVICE = {
    "id": "string",
    "flops_per_s": "positive number",
    "memory_bytes": "positive integer",
    "overhead_s": "number",
    "compute_power_w": "number",
    "max_power_w": "number",
    "energy_budget_j": "positive number",
}
_CLUSTER = {
    "id": "string",
    "d2d_bandwidth_hz": "number",
    "node_order": "word",
    "uplink_max_power_w": "number",
    "uplink_energy_budget_j": "positive number",
    "embedding_s": "number",
    "decoder_s": "number",
    "devices": "array",
}
_TRAINING = {
    "micro_batch_size": "positive integer",
    "max_micro_batches": "positive integer",
    "weight_bytes": "number",
    "gradient_bytes": "number",
    "optimizer_bytes": "number",
    "in_flight": "word",
}
_CONTROL = {
    "tradeoff": "positive number",
    "slots": "positive integer",
    "noise_level": "positive number",
    "noise_budget": "positive number",
}
_INSTANCE = {
    "format": "word",
    "problem": "word",
    "model": "object",
    "clusters": "array",
    "uplink_bandwidth_hz": "number",
    "noise_w_per_hz": "positive number",
    "training": "object",
    "control": "object",
    "channels": "object",
}
_CHANNELS = {
    "rayleigh": {
        "kind": "word",
        "seed": "integer",
        "d2d_gain": "positive number",
        "uplink_gain": "positive number",
    },
    "trace": {"kind": "word", "d2d": "object", "uplink": "object"},
}
_NO_NUMBER = ["3", "", True, None, [], {}, float("nan"), float("inf")]
_BAD_VALUES: dict[str, list[Any]] = {
    "integer": [-1, 1.5, 4.0, 2**53, 10**400, *_NO_NUMBER],
    "positive integer": [0, -1, 2.5, 2**53, 10**400, *_NO_NUMBER],
    "number": [-1, -1e-9, 10**400, *_NO_NUMBER],
    "positive number": [0, 0.0, -1, 10**400, *_NO_NUMBER],
    "string": ["", 3, True, None, [], "\ud800", float("nan")],
    "object": [3, "x", [], True, None, float("nan")],
    "array": [3, "x", {}, [], None, float("nan")],
    "word": ["nope", "", 3, True, None, [], "\ud800", float("nan")],
}


def _sections(document: Document) -> Iterator[tuple[Place, Document, dict[str, str]]]:
    """Every object with fixed members: its place, the object and what its required fields hold."""
    yield (), document, _INSTANCE
    yield ("training",), document["training"], _TRAINING
    yield ("control",), document["control"], _CONTROL
    yield ("channels",), document["channels"], _CHANNELS[document["channels"]["kind"]]
    for index, block in enumerate(document["model"]["layers"]):
        yield ("model", "layers", index), block, _BLOCK
    for n, cluster in enumerate(document["clusters"]):
        yield ("clusters", n), cluster, _CLUSTER
        for i, device in enumerate(cluster["devices"]):
            yield ("clusters", n, "devices", i), device, _DEVICE


def wrong_value(rng: random.Random, document: Document) -> Place:
    place, members, fields = rng.choice(list(_sections(document)))
    field = rng.choice(sorted(fields))
    members[field] = rng.choice(_BAD_VALUES[fields[field]])
    return (*place, field)


def missing_member(rng: random.Random, document: Document) -> Place:
    place, members, fields = rng.choice(list(_sections(document)))
    field = rng.choice(sorted(fields))
    del members[field]
    return (*place, field)


def unknown_member(rng: random.Random, document: Document) -> Place:
    place, members, _ = rng.choice(list(_sections(document)))
    field = rng.choice(["foo", "X-note", "", "a/b", "a~b", "é", " id", "[key]", "memory_mb", "budget_wh"])
    members[field] = rng.choice([1, "x", None, {}, []])
    return (*place, field)


def repeated_id(rng: random.Random, document: Document) -> Place | None:
    """An id of one device or cluster at a later one, in document order."""
    clusters = document["clusters"]
    places: list[Place] = [
        place
        for n, cluster in enumerate(clusters)
        for place in [
            ("clusters", n, "id"),
            *(("clusters", n, "devices", i, "id") for i in range(len(cluster["devices"]))),
        ]
    ]
    first, later = sorted(rng.sample(range(len(places)), 2))
    _home(document, places[later])["id"] = _home(document, places[first])["id"]
    return places[later]


def reserved_id(rng: random.Random, document: Document) -> Place:
    n = rng.randrange(len(document["clusters"]))
    document["clusters"][n]["devices"][0]["id"] = rng.choice(["noise", "x-1"])
    return ("clusters", n, "devices", 0, "id")


def too_little_noise(rng: random.Random, document: Document) -> Place:
    training = document["training"]
    most = training["micro_batch_size"] * training["max_micro_batches"] * len(document["clusters"])
    document["control"]["noise_budget"] = document["control"]["noise_level"] / most * rng.uniform(0.1, 0.999)
    return ("control", "noise_budget")


def wrong_trace(rng: random.Random, document: Document) -> Place | None:
    """A trace too long or too short, of nobody, missing, or with a gain that is none."""
    channels = document["channels"]
    if channels["kind"] != "trace":
        return None
    part = rng.choice(["d2d", "uplink"])
    name = rng.choice(sorted(channels[part]))
    how = rng.choice(["longer", "shorter", "ghost", "missing", "gain"])
    if how == "ghost":
        channels[part]["gho/st"] = channels[part][name]
        return ("channels", part, "gho/st")
    if how == "missing":
        del channels[part][name]
    elif how == "gain":
        t = rng.randrange(len(channels[part][name]))
        channels[part][name][t] = rng.choice([0, -1e-9, None, "x", float("nan")])
        return ("channels", part, name, t)
    else:
        gains = channels[part][name]
        channels[part][name] = [*gains, 1e-9] if how == "longer" else gains[:-1]
    return ("channels", part, name)


def other_kind(rng: random.Random, document: Document) -> Place:
    """A member that goes with the other kind of channels."""
    channels = document["channels"]
    field = rng.choice(
        ["d2d", "uplink"] if channels["kind"] == "rayleigh" else ["seed", "d2d_gain", "uplink_gain", "floor"]
    )
    channels[field] = rng.choice([None, 1, {}])
    return ("channels", field)


def wrong_queue(rng: random.Random, document: Document) -> Place:
    queues = document.setdefault("initial_queues", {})
    name, value = rng.choice([("ghost", 1.0), ("noise", -1), ("noise", "x"), ("", 0), ("a/b", 1)])
    queues[name] = value
    return ("initial_queues", name)


_FAULTS: tuple[Fault, ...] = (
    *[wrong_value] * 4,
    *[missing_member] * 2,
    unknown_member,
    repeated_id,
    reserved_id,
    too_little_noise,
    *[wrong_trace] * 2,
    other_kind,
    wrong_queue,
)


def _home(document: Document, place: Place) -> Any:
    home: Any = document
    for part in place[:-1]:
        home = home[part]
    return home


def malformed_segments(seed: int, document: Document) -> Malformed:
    """Break one rule of a copy of a valid instance document."""
    rng, broken = random.Random(f"malformed segments {seed}"), copy.deepcopy(document)
    while True:
        fault = rng.choice(_FAULTS)
        place = fault(rng, broken)
        if place is not None:
            return Malformed(json.dumps(broken).encode(), pointer_to(place), fault.__name__)
