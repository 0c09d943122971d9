"""Small random instances of sparse_update near the edges of their limits, plans for them, the best of all."""

from __future__ import annotations

import itertools
import random
from math import prod

from independent.sparse_evaluator import (
    Document,
    SparseCase,
    canonical_collectives,
    evaluate,
    joint_broken,
    objective,
    own_broken,
)

MOST_PLANS = 2_000_000


def random_document(
    seed: int, num_layers: int, num_devices: int, *, network: bool = False, free: bool = False
) -> Document:
    """Return the instance of this seed; some have no plan."""
    rng = random.Random(seed)
    document: Document = {
        "format": "edgeplan/1",
        "problem": "sparse_update",
        "name": f"random {seed}",
        "layers": [_layer(rng, f"layer.{index}") for index in range(num_layers)],
        "depth_contribution": _depth_contribution(rng, num_layers),
        "devices": [{"id": f"pi-{index}"} for index in range(num_devices)],
        "network": {"latency_s": rng.choice([0.0, 0.001, 0.05]), "bit_per_s": rng.choice([1e5, 1e6])},
        "training": {"batch_size": rng.choice([1, 2, 8]), "gradient_bytes": rng.choice([2, 4])},
        "objective": {"contribution": rng.choice([1.0] * 6 + [2.5, 2.5, 0.0]), "aggregation_s": _price(rng)},
    }
    if _chance(rng, 0.5):
        document["base_bytes"] = rng.randint(0, 500)
    _add_devices(rng, document)
    _add_rules(rng, document)
    _add_pins(rng, document)
    if network:
        document["network"] = _network(rng, document["devices"])
    if free:
        document["collectives"] = "free"
    elif _chance(rng, 0.3):
        document["collectives"] = "canonical"
    return document


def _chance(rng: random.Random, probability: float) -> bool:
    return rng.random() < probability


def _price(rng: random.Random) -> float:
    """Return what a second of aggregation costs."""
    return 0.0 if _chance(rng, 0.3) else 10 ** rng.uniform(-1, 1.3)


def _layer(rng: random.Random, name: str) -> Document:
    ratios = sorted(rng.sample([0.125, 0.25, 0.3, 0.5, 0.75], rng.randint(1, 4)))
    if _chance(rng, 0.6):
        ratios[-1] = 1.0
    layer: Document = {
        "name": name,
        "forward_flops": rng.randint(0, 10**6),
        "input_gradient_flops": rng.choice([0, rng.randint(0, 10**6)]),
        "bias_bytes": rng.choice([0, rng.randint(1, 300)]),
        "options": _options(rng, ratios),
    }
    if _chance(rng, 0.6):
        layer["bias_parameters"] = rng.choice([0, rng.randint(1, 64)])
    return layer


def _options(rng: random.Random, ratios: list[float]) -> list[Document]:
    """Nothing falls from one ratio to the next, except at times the contribution."""
    no_parameters, any_order = _chance(rng, 0.1), _chance(rng, 0.15)

    def rising(largest: int) -> list[int]:
        values = sorted(rng.randint(0, largest) for _ in ratios)
        return [values[0]] * len(values) if _chance(rng, 0.1) else values

    memory, flops = rising(2000), rising(10**6)
    parameters = [0] * len(ratios) if no_parameters else rising(2000)
    contribution = [rng.uniform(0, 1.5) for _ in ratios]
    if not any_order:
        contribution.sort()
    return [
        {
            "ratio": ratio,
            "memory_bytes": memory[index],
            "contribution": round(contribution[index], rng.choice([1, 4])),
            "parameters": parameters[index],
            "weight_gradient_flops": flops[index],
        }
        for index, ratio in enumerate(ratios)
    ]


def _depth_contribution(rng: random.Random, num_layers: int) -> list[float | None]:
    """Depth 0 mostly brings nothing; now and then a depth is not allowed, never all of them."""
    alone: list[float | None] = [0.0 if _chance(rng, 0.8) else rng.uniform(0, 0.3)]
    alone += sorted(rng.uniform(0, 0.5) for _ in range(num_layers))
    kept = rng.randrange(num_layers + 1)
    for depth in range(num_layers + 1):
        if depth != kept and _chance(rng, 0.1 if depth == 0 else 0.2):
            alone[depth] = None
    return alone


def _add_devices(rng: random.Random, document: Document) -> None:
    """Give each device what some random choice needs, to the byte and the second, give or take a little."""
    for device in document["devices"]:
        device |= {"flops_per_s": 10 ** rng.uniform(6, 8), "memory_bytes": 1}
        if _chance(rng, 0.5):
            device["weight"] = rng.choice([0.0, 1.0, rng.uniform(0.1, 3)])
    case = SparseCase(document)
    for device in document["devices"]:
        memory = max(case.memory(_random_entry(rng, case, device["id"], 0.6)) for _ in range(2))
        device["memory_bytes"] = max(1, memory + rng.choice([0, 0, -1, 100, 1000, 5000]))
        seconds = max(case.step_s(_random_entry(rng, case, device["id"], 0.8)) for _ in range(2))
        if _chance(rng, 0.4):
            device["max_step_s"] = rng.choice([None, seconds, seconds, seconds * 1.5])
    for device, twin in itertools.pairwise(document["devices"]):
        if _chance(rng, 0.25):
            twin |= {key: value for key, value in device.items() if key != "id"}
            for key in [key for key in twin if key not in device]:
                del twin[key]


def _add_rules(rng: random.Random, document: Document) -> None:
    def bound() -> int:
        return rng.choice([0, 1, 1, rng.randint(0, len(document["devices"]))])

    if _chance(rng, 0.5):
        names = [layer["name"] for layer in document["layers"] if _chance(rng, 0.4)]
        document["coverage"] = {
            "default": rng.choice([0, 0, 0, 1]),
            "layers": {name: bound() for name in names},
        }
        if not names or _chance(rng, 0.2):
            del document["coverage"][rng.choice(["default", "layers"])]
    for key, values in (("nested", [True, False]), ("fuse", [True, False]), ("broadcast", ["flat", "tree"])):
        if _chance(rng, 0.6):
            document[key] = rng.choice(values)


def _add_pins(rng: random.Random, document: Document) -> None:
    """A device and a layer are either pinned or forbidden, not both."""
    pins, forbids = [], []
    for device, layer in itertools.product(document["devices"], document["layers"]):
        draw = rng.random()
        if draw < 0.05:
            ratio = rng.choice([0, layer["options"][0]["ratio"], rng.choice(layer["options"])["ratio"]])
            pins.append([device["id"], layer["name"], ratio])
        elif draw < 0.11:
            forbids.append([device["id"], layer["name"]])
    if pins or _chance(rng, 0.2):
        document["pin"] = pins
    if forbids or _chance(rng, 0.2):
        document["forbid"] = forbids


def _network(rng: random.Random, devices: list[Document]) -> Document:
    """The general form: its nodes in another order than the devices, some pairs with a link of their own."""
    nodes = [{key: device[key] for key in ("id", "flops_per_s", "memory_bytes")} for device in devices]
    rng.shuffle(nodes)
    for node in nodes:
        for key in ("uplink_bit_per_s", "downlink_bit_per_s"):
            if _chance(rng, 0.7):
                node[key] = rng.choice([1e5, 3e5, 1e6, None])
        if _chance(rng, 0.7):
            node["latency_s"] = rng.choice([0.0, 0.001, 0.02])
    links: list[Document] = []
    for source, target in itertools.permutations([device["id"] for device in devices], 2):
        if _chance(rng, 0.25):
            figures = {"bit_per_s": rng.choice([5e4, 2e6, None]), "latency_s": rng.choice([0.0, 0.03])}
            kept = {key: value for key, value in figures.items() if _chance(rng, 0.8)}
            links.append({"source": source, "target": target, **kept})
    return {"nodes": nodes, "links": links} if links or _chance(rng, 0.5) else {"nodes": nodes}


def _random_entry(rng: random.Random, case: SparseCase, device: str, density: float) -> Document:
    """Return any allowed depth, and among its layers an update with this probability."""
    depths = [depth for depth, alone in enumerate(case.depth_contribution) if alone is not None]
    depth = rng.choice(depths)
    updates = [
        {"layer": layer["name"], "ratio": rng.choice(layer["options"])["ratio"]}
        for layer in case.reached(depth)
        if _chance(rng, density)
    ]
    return {"id": device, "depth": depth, "updates": updates}


def random_plan(document: Document, seed: int) -> Document:
    """Return a plan without collectives, whole but perhaps against the rules, also of depth."""
    rng = random.Random(seed)
    case = SparseCase(document)
    density = rng.choice([0.2, 0.5, 0.9])
    entries = [_random_entry(rng, case, key, density) for key in case.ids]
    for entry in entries:
        if _chance(rng, 0.05):
            entry["depth"] = rng.randint(entry["depth"], len(case.layers))
    if _chance(rng, 0.5):
        for entry, (key, name, ratio) in itertools.product(entries, document.get("pin", [])):
            _follow(case, entry, key, name, ratio)
    return {"devices": entries}


def _follow(case: SparseCase, entry: Document, key: str, name: str, ratio: float) -> None:
    """Keep a pin of this device where its depth reaches the layer."""
    if entry["id"] == key and case.layer[name] in case.reached(entry["depth"]):
        others = [update for update in entry["updates"] if update["layer"] != name]
        entry["updates"] = [*others, {"layer": name, "ratio": ratio}] if ratio else others


def choices(case: SparseCase, device: str) -> list[Document]:
    """Return everything one device can do within its own limits."""
    entries = []
    for depth in range(len(case.layers) + 1):
        ratios = [[0.0, *(option["ratio"] for option in layer["options"])] for layer in case.reached(depth)]
        for some in itertools.product(*ratios):
            updates = [
                {"layer": layer["name"], "ratio": ratio}
                for layer, ratio in zip(case.reached(depth), some, strict=True)
                if ratio
            ]
            entries.append({"id": device, "depth": depth, "updates": updates})
    return [entry for entry in entries if not own_broken(case, entry)]


def brute_force(document: Document) -> tuple[float, Document] | None:
    """Return the best objective with canonical collectives, and its plan; None where there is none."""
    case = SparseCase(document)
    every = [choices(case, key) for key in case.ids]
    if prod(len(some) for some in every) > MOST_PLANS:
        raise ValueError(f"more than {MOST_PLANS} plans: take fewer layers, devices or options")
    best: tuple[float, Document] | None = None
    for combination in itertools.product(*every):
        entries = list(combination)
        # without the cost of aggregation no plan is worth less
        if best is not None and objective(case, entries, []) <= best[0]:
            continue
        if joint_broken(case, entries):
            continue
        value = objective(case, entries, canonical_collectives(document, entries))
        if best is None or value > best[0]:
            best = value, {"devices": entries}
    assert best is None or evaluate(document, best[1]).feasible
    return best
