"""Documents that break one rule each, with the JSON pointer at which the fault must be reported."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Document = dict[str, Any]
Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Malformed:
    """Bytes of a document, the pointer of its fault and what kind of fault it is."""

    data: bytes
    pointer: str
    kind: str


class _Raw(str):
    """JSON text to be written as it stands."""

    __slots__ = ()


class _Pairs(list[tuple[str, Any]]):
    """An object in which a key may occur twice."""


def write(value: Any) -> str:
    """Write JSON, raw texts and repeated keys included."""
    if isinstance(value, _Raw):
        return str(value)
    if isinstance(value, _Pairs | dict):
        pairs = value if isinstance(value, _Pairs) else value.items()
        return "{" + ",".join(f"{json.dumps(key)}:{write(child)}" for key, child in pairs) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(write, value)) + "]"
    return json.dumps(value)


def pointer_to(place: Place) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in place)


# What a field holds: integer, positive integer, number, positive number, string, boolean, object,
# array, or one of some words; a question mark allows null.
_LAYER = {
    "name": "string",
    "parameters": "integer",
    "forward_flops": "number",
    "input_gradient_flops": "number",
    "weight_gradient_flops": "number",
    "output_bytes": "integer",
    "saved_bytes": "integer",
    "saved_frozen_bytes": "integer",
    "inputs": "array?",
}
_NODE = {
    "id": "string",
    "type": "string",
    "flops_per_s": "positive number",
    "memory_bytes": "positive integer",
    "uplink_bit_per_s": "positive number?",
    "downlink_bit_per_s": "positive number?",
    "latency_s": "number",
    "compute_power_w": "number",
    "transmit_power_w": "number",
    "price_per_s": "number",
    "available_s": "array?",
    "samples": "integer",
    "label_counts": "array",
}
_LINK = {"source": "string", "target": "string", "bit_per_s": "positive number?", "latency_s": "number"}
_TIMING = {"forward_s": "number", "backward_s": "number"}
_TRAINING = {
    "batch_size": "positive integer",
    "local_steps": "positive integer",
    "pass": "word",
    "weight_bytes": "number",
    "frozen_weight_bytes": "number?",
    "gradient_bytes": "number",
    "optimizer_bytes": "number",
    "reserve_bytes": "integer",
}
_LIMITS = {
    "min_nodes": "positive integer",
    "max_nodes": "positive integer?",
    "max_layers_per_node": "positive integer?",
    "min_samples": "integer",
    "deadline_s": "number?",
    "budget_price": "number?",
    "budget_energy_j": "number?",
}
_OBJECTIVE = dict.fromkeys(("time_s", "energy_j", "price", "bottleneck_s"), "number")
_INSTANCE = {
    "format": "word",
    "problem": "word",
    "name": "string",
    "model": "object",
    "network": "object",
    "training": "object",
    "schedule": "word",
    "shared_layers": "array",
    "train_shared": "boolean",
    "transport": "word",
    "server": "string?",
    "micro_batches": "positive integer",
    "in_flight": "word",
    "overlap": "boolean",
    "node_order": "word",
    "objective": "object",
    "limits": "object",
    "pin": "object",
    "forbid": "array",
}

_HUGE = [_Raw("9" * digits) for digits in (25, 400, 5000)]
_NOT_FINITE = [_Raw(text) for text in ("NaN", "Infinity", "-Infinity", "1e400", "-1e400")]
_SURROGATE = _Raw('"\\ud800"')
_NO_NUMBER = ["3", "", True, False, [], {}, *_NOT_FINITE]
_BAD_VALUES: dict[str, list[Any]] = {
    "integer": [-1, -7, 1.5, 4.0, 2**53, *_HUGE, _Raw("1e3"), *_NO_NUMBER],
    "positive integer": [0, -1, 4.0, 2.5, 2**53, *_HUGE, _Raw("0.0"), *_NO_NUMBER],
    "number": [-1, -1e-9, *_HUGE[1:], *_NO_NUMBER],
    "positive number": [0, 0.0, -1, _Raw("-0.0"), _Raw("1e-400"), *_HUGE[1:], *_NO_NUMBER],
    "string": ["", 3, True, [], {}, 1.5, _SURROGATE, _Raw("NaN")],
    "boolean": [0, 1, "true", [], {}, None, _Raw("NaN")],
    "object": [3, "x", [], True, None, _Raw("NaN")],
    "array": [3, "x", {}, True, _Raw("NaN")],
    "word": ["nope", 3, True, None, [], {}, "", _SURROGATE],
}
_NULL_REFUSED = ("integer", "positive integer", "number", "positive number", "string", "array")


@dataclass(frozen=True)
class _Section:
    """An object of the document: its place, its fields, and which of them it must have."""

    place: Place
    members: Document
    fields: dict[str, str]
    required: tuple[str, ...]


def _sections(document: Document) -> Iterator[_Section]:
    network = document["network"]
    needed = ("format", "problem", "model", "network", "training", "schedule")
    yield _Section((), document, _INSTANCE, needed)
    yield _Section(("model",), document["model"], {"name": "string", "layers": "array"}, ("layers",))
    parts = {"nodes": "array", "links": "array", "timings": "object"}
    yield _Section(("network",), network, parts, ("nodes",))
    for index, layer in enumerate(document["model"]["layers"]):
        yield _Section(("model", "layers", index), layer, _LAYER, (*_LAYER,)[:-1])
    for index, node in enumerate(network["nodes"]):
        required = ("id", "flops_per_s", "memory_bytes")
        yield _Section(("network", "nodes", index), node, _NODE, required)
    for index, link in enumerate(network.get("links", [])):
        yield _Section(("network", "links", index), link, _LINK, ("source", "target"))
    for kind, entries in network.get("timings", {}).items():
        for layer, entry in entries.items():
            yield _Section(("network", "timings", kind, layer), entry, _TIMING, (*_TIMING,))
    bytes_of = ("batch_size", "weight_bytes", "gradient_bytes", "optimizer_bytes")
    yield _Section(("training",), document["training"], _TRAINING, bytes_of)
    if "limits" in document:
        yield _Section(("limits",), document["limits"], _LIMITS, ())
    if "objective" in document:
        yield _Section(("objective",), document["objective"], _OBJECTIVE, ())


Fault = Callable[[random.Random, Document], Place | None]


def _any_section(rng: random.Random, document: Document) -> _Section:
    return rng.choice(list(_sections(document)))


def _section_at(rng: random.Random, document: Document, *start: str) -> _Section | None:
    found = [section for section in _sections(document) if section.place[: len(start)] == start]
    return rng.choice(found) if found else None


def wrong_value(rng: random.Random, document: Document) -> Place | None:
    """A wrong type, a number out of range, NaN, a huge integer, text that UTF-8 cannot hold."""
    section = _any_section(rng, document)
    field = rng.choice(list(section.fields))
    kind = section.fields[field].removesuffix("?")
    null = [None] if kind == section.fields[field] and kind in _NULL_REFUSED else []
    section.members[field] = rng.choice([*_BAD_VALUES[kind], *null])
    return (*section.place, field)


def missing_member(rng: random.Random, document: Document) -> Place | None:
    section = _any_section(rng, document)
    if not section.required:
        return None
    field = rng.choice(section.required)
    del section.members[field]
    return (*section.place, field)


def unknown_member(rng: random.Random, document: Document) -> Place | None:
    section = _any_section(rng, document)
    field = rng.choice(["foo", "X-note", "x_note", "", "a/b", "a~b", "é", " id", "Id", "pass_", "[key]", "0"])
    section.members[field] = rng.choice([1, "x", None, {}, [], {"a": 1}])
    return (*section.place, field)


_UNITS = {
    "memory_bytes": "memory_mb",
    "latency_s": "latency_ms",
    "flops_per_s": "gflops_per_s",
    "uplink_bit_per_s": "uplink_mbit_per_s",
    "weight_bytes": "weight_bits",
    "output_bytes": "output_kb",
    "deadline_s": "deadline_ms",
    "forward_s": "forward_ms",
    "time_s": "time_ms",
    "bit_per_s": "byte_per_s",
}


def unit_slip(rng: random.Random, document: Document) -> Place | None:
    section = _any_section(rng, document)
    slips = [field for field in section.members if field in _UNITS]
    if not slips:
        return None
    field = rng.choice(slips)
    section.members[_UNITS[field]] = section.members.pop(field)
    return (*section.place, _UNITS[field])


def repeated_key(rng: random.Random, document: Document) -> Place | None:
    section = _any_section(rng, document)
    if not section.place or not section.members:
        return None
    key = rng.choice(list(section.members))
    pairs = _Pairs(section.members.items())
    pairs.insert(rng.randint(0, len(pairs)), (key, copy.deepcopy(section.members[key])))
    _put(document, section.place, pairs)
    return (*section.place, key)


def _put(document: Document, place: Place, value: Any) -> None:
    parent: Any = document
    for part in place[:-1]:
        parent = parent[part]
    parent[place[-1]] = value


def repeated_name(rng: random.Random, document: Document) -> Place | None:
    """Two nodes with one id, two layers with one name, two links of one pair."""
    collection, key = rng.choice([("nodes", "id"), ("layers", "name"), ("links", None)])
    home = document["model" if collection == "layers" else "network"]
    items = home.get(collection, [])
    if key is None:
        if not items:
            return None
        items.append(copy.deepcopy(items[0]))
        return ("network", "links", len(items) - 1)
    if len(items) < 2:
        return None
    index = rng.randrange(1, len(items))
    items[index][key] = items[0][key]
    return ("model" if collection == "layers" else "network", collection, index, key)


def dangling_layer(rng: random.Random, document: Document) -> Place | None:
    node = document["network"]["nodes"][0]["id"]
    where = rng.choice(["shared_layers", "pin", "forbid", "inputs"])
    if where == "pin":
        document.setdefault("pin", {})["ghost"] = node
        return ("pin", "ghost")
    if where == "inputs":
        index = rng.randrange(len(document["model"]["layers"]))
        layer = document["model"]["layers"][index]
        layer["inputs"] = ["input", rng.choice(["ghost", layer["name"]])]
        return ("model", "layers", index, "inputs", 1)
    entries = document.setdefault(where, [])
    entries.append("ghost" if where == "shared_layers" else ["ghost", node])
    return (where, len(entries) - 1, *([0] if where == "forbid" else []))


def dangling_node(rng: random.Random, document: Document) -> Place | None:
    where = rng.choice(["pin", "forbid", "server", "link"])
    layer = document["model"]["layers"][-1]["name"]
    if where == "pin":
        document.setdefault("pin", {})[layer] = "ghost"
        return ("pin", layer)
    if where == "forbid":
        document.setdefault("forbid", []).append([layer, "ghost"])
        return ("forbid", len(document["forbid"]) - 1, 1)
    if where == "server":
        document |= {"transport": "server", "server": "ghost"}
        return ("server",)
    link = _section_at(rng, document, "network", "links")
    if link is None:
        return None
    end = rng.choice(["source", "target"])
    link.members[end] = "ghost"
    return (*link.place, end)


def wrong_timing(rng: random.Random, document: Document) -> Place | None:
    """A timing for no layer, or a layer without a timing."""
    timings = document["network"].get("timings")
    if not timings:
        return None
    kind = rng.choice(sorted(timings))
    if rng.random() < 0.5:
        timings[kind]["gho/st"] = {"forward_s": 0, "backward_s": 0}
        return ("network", "timings", kind, "gho/st")
    layer = rng.choice(sorted(timings[kind]))
    del timings[kind][layer]
    return ("network", "timings", kind, layer)


_WINDOWS: list[tuple[list[Any], Place]] = [
    ([[1, 1]], (0,)),
    ([[2, 1]], (0,)),
    ([[0, 2], [1, 3]], (1,)),
    ([[5, 6], [0, 1]], (1,)),
    ([3], (0,)),
    ([None], (0,)),
    ([{"a": 1}], (0,)),
    ([["a", 1]], (0, 0)),
    ([[0, None]], (0, 1)),
    ([[-1, 1]], (0, 0)),
    ([[0, _Raw("Infinity")]], (0, 1)),
    ([[0, _Raw("1e999")]], (0, 1)),
]


def wrong_windows(rng: random.Random, document: Document) -> Place | None:
    node = _section_at(rng, document, "network", "nodes")
    assert node is not None
    windows, place = rng.choice(_WINDOWS)
    node.members["available_s"] = copy.deepcopy(windows)
    return (*node.place, "available_s", *place)


def wrong_samples(rng: random.Random, document: Document) -> Place | None:
    node = _section_at(rng, document, "network", "nodes")
    assert node is not None
    node.members.update(samples=5, label_counts=[1, 1])
    return (*node.place, "samples")


def self_link(rng: random.Random, document: Document) -> Place | None:
    node = document["network"]["nodes"][0]["id"]
    links = document["network"].setdefault("links", [])
    links.append({"source": node, "target": node})
    return ("network", "links", len(links) - 1, "target")


def contradiction(rng: random.Random, document: Document) -> Place | None:
    """Members that do not go together."""
    layers = [layer["name"] for layer in document["model"]["layers"]]
    contradictions: list[tuple[Document, Place]] = [
        (
            {"schedule": "serial", "training": document["training"] | {"pass": "inference"}},
            ("training", "pass"),
        ),
        ({"training": document["training"] | {"batch_size": 4}, "micro_batches": 3}, ("micro_batches",)),
        ({"objective": rng.choice([{}, {"time_s": 0}, {"price": 0.0, "energy_j": 0}])}, ("objective",)),
        ({"shared_layers": layers}, ("shared_layers",)),
        ({"shared_layers": layers[:1], "schedule": "pipeline"}, ("shared_layers",)),
        ({"transport": "server", "server": None}, ("server",)),
        ({"transport": "peer", "server": document["network"]["nodes"][0]["id"]}, ("server",)),
    ]
    members, place = rng.choice(contradictions)
    document |= members
    return place


def pinned_out_of_reach(rng: random.Random, document: Document) -> Place | None:
    """A pin or forbid of a shared layer, or of the server."""
    layer, node = document["model"]["layers"][0]["name"], document["network"]["nodes"][0]["id"]
    server, pins = rng.random() < 0.5, rng.random() < 0.5
    if server:
        document |= {"transport": "server", "server": node, "shared_layers": []}
    else:
        document |= {"transport": "peer", "server": None, "shared_layers": [layer]}
    if pins:
        document["pin"] = {layer: node}
        return ("pin", layer)
    document["forbid"] = [[layer, node]]
    return ("forbid", 0, 1 if server else 0)


def reserved_name(rng: random.Random, document: Document) -> Place | None:
    index = rng.randrange(len(document["model"]["layers"]))
    document["model"]["layers"][index]["name"] = "input"
    return ("model", "layers", index, "name")


_FAULTS: tuple[Fault, ...] = (
    *[wrong_value] * 4,
    missing_member,
    unknown_member,
    unit_slip,
    repeated_key,
    repeated_name,
    dangling_layer,
    dangling_node,
    wrong_timing,
    wrong_windows,
    wrong_samples,
    self_link,
    contradiction,
    pinned_out_of_reach,
    reserved_name,
)


def _broken_text(rng: random.Random, text: bytes) -> tuple[bytes, str]:
    """Text that is no document at all; the fault is that of the whole."""
    place = rng.randrange(len(text))
    deep = rng.choice([40, 2_000, 200_000])
    return rng.choice(
        [
            (text[:place], "cut off"),
            (text[:place] + rng.choice([b"\xff", b"\xc3(", b"\xed\xa0\x80"]) + text[place:], "not UTF-8"),
            (b"\xef\xbb\xbf" + text, "byte-order mark"),
            (b'{"deep":' + b"[" * deep + b"]" * deep + b"}", "deep member"),
            (b"[" * deep + b"]" * deep, "deep nesting"),
            (text + b"}", "text behind the end"),
            (rng.choice([b"", b" \n", b"[]", b"3", b'"x"', b"null", b"nope"]), "no object"),
        ]
    )


def malformed(seed: int, document: Document) -> Malformed:
    """Break one rule of a valid instance document, which is changed."""
    rng = random.Random(f"malformed {seed}")
    if rng.random() < 0.1:
        data, kind = _broken_text(rng, write(document).encode())
        return Malformed(data, "", kind)
    while True:
        fault = rng.choice(_FAULTS)
        place = fault(rng, document)
        if place is not None:
            return Malformed(write(document).encode(), pointer_to(place), fault.__name__)
