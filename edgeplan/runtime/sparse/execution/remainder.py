"""What is left of an instance and a plan when devices are gone."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from edgeplan.models.sparse_update import SparsePlan, SparseUpdate


def remainder(
    problem: SparseUpdate, plan: SparsePlan, away: Collection[str]
) -> tuple[SparseUpdate, SparsePlan]:
    """Take devices out of an instance, and what they update out of its plan.

    Those left keep their updates. A slice is averaged over the members left that train it, so the
    collectives are the canonical ones of these updates, also where those of the plan were a decision.

    Parameters
    ----------
    problem, plan
        With all devices.
    away
        Ids of those that are gone.

    Examples
    --------
    >>> from edgeplan.models.sparse_update.examples import two_layers_two_boards
    >>> devices = [{"id": name, "depth": 1} for name in ("small", "large")]
    >>> plan = SparsePlan.from_document({"devices": devices})
    >>> problem, plan = remainder(two_layers_two_boards(), plan, ["small"])
    >>> [device.id for device in problem.instance.devices], [device.id for device in plan.devices]
    (['large'], ['large'])
    """
    if not away:
        return problem, plan
    document = problem.to_document()
    document["devices"] = [device for device in document["devices"] if device["id"] not in away]
    for name in ("pin", "forbid"):
        document[name] = [entry for entry in document.get(name, []) if entry[0] not in away]
    if "nodes" in document["network"]:
        document["network"] = _network_without(document["network"], away)
    left = tuple(device for device in plan.devices if device.id not in away)
    return SparseUpdate.from_document(document), SparsePlan(devices=left)


def _network_without(network: dict[str, Any], away: Collection[str]) -> dict[str, Any]:
    nodes = [node for node in network["nodes"] if node["id"] not in away]
    links = [link for link in network.get("links", []) if not {link["source"], link["target"]} & {*away}]
    return network | {"nodes": nodes, **({"links": links} if "links" in network else {})}


def effects_of(problem: SparseUpdate, plan: SparsePlan, away: Collection[str]) -> Iterator[str]:
    """Yield what nobody does any more without some devices, a sentence each.

    Examples
    --------
    >>> from edgeplan.models.sparse_update.examples import two_layers_two_boards
    >>> device = {"depth": 1, "updates": [{"layer": "fc", "ratio": 1.0}]}
    >>> devices = [{"id": "small", "depth": 0}, {"id": "large", **device}]
    >>> plan = SparsePlan.from_document({"devices": devices})
    >>> list(effects_of(two_layers_two_boards(), plan, ["large"]))
    ['nobody updates weights of fc any more', 'nobody trains biases before the last 0 layers any more, ...']
    """
    left_problem, left_plan = remainder(problem, plan, away)
    before, after = _updated(plan), _updated(left_plan)
    gone = [layer.name for layer in problem.instance.layers if layer.name in before - after]
    if gone:
        yield f"nobody updates weights of {', '.join(gone)} any more"
    deepest, deepest_left = (max(device.depth for device in one.devices) for one in (plan, left_plan))
    if deepest_left < deepest:
        yield f"nobody trains biases before the last {deepest_left} layers any more, {deepest} were reached"
    for violation in left_problem.check(left_plan).violations:
        yield f"the plan of those left breaks a rule of the instance: {violation.message}"


def _updated(plan: SparsePlan) -> set[str]:
    return {update.layer for device in plan.devices for update in device.updates}
