"""The limits of an instance by name: how an instance is without some, and with another value of one."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from edgeplan.models.faults import Path
from edgeplan.models.fields import MAX_INTEGER
from edgeplan.models.sparse_update import SparseUpdate

_DROPPED = object()


@dataclass(frozen=True)
class NamedLimit:
    """One limit.

    Parameters
    ----------
    path
        Its place in the instance.
    have
        The value there.
    text
        The limit in words.
    """

    path: Path
    have: Any
    text: str

    @property
    def kind(self) -> str:
        """Which limit: ``memory_bytes``, ``max_step_s``, ``coverage``, ``nested``, ``pin``, ..."""
        return str(self.path[-1]) if self.path[0] == "devices" else str(self.path[0])


def named_limits(problem: SparseUpdate, devices: Collection[int]) -> list[NamedLimit]:
    """List every limit that could be lifted, of these devices and of all together."""
    instance = problem.instance
    names = {instance.devices[d].id for d in devices}
    limits = [
        NamedLimit(("pin", k), ratio, f"{layer} is pinned to {ratio:g} on {name}")
        for k, (name, layer, ratio) in enumerate(instance.pin)
        if name in names
    ]
    limits += [
        NamedLimit(("forbid", k), layer, f"{layer} is forbidden on {name}")
        for k, (name, layer) in enumerate(instance.forbid)
        if name in names
    ]
    limits += [
        NamedLimit(("depth_contribution", k), None, f"depth {k} is not allowed")
        for k, value in enumerate(instance.depth_contribution)
        if value is None
    ]
    if instance.nested:
        limits.append(NamedLimit(("nested",), "true", "devices of more memory update at least as much"))
    return [*limits, *_coverage(problem), *_of_devices(problem, devices)]


def _coverage(problem: SparseUpdate) -> Iterator[NamedLimit]:
    coverage = problem.instance.coverage
    for name, count in coverage.layers.items():
        if count:
            yield NamedLimit(("coverage", "layers", name), count, f"{name} is updated by at least {count}")
    if coverage.default:
        text = f"layers that are not named are updated by at least {coverage.default}"
        yield NamedLimit(("coverage", "default"), coverage.default, text)


def _of_devices(problem: SparseUpdate, devices: Collection[int]) -> Iterator[NamedLimit]:
    for d in devices:
        device = problem.instance.devices[d]
        if device.max_step_s is not None:
            path: Path = ("devices", d, "max_step_s")
            text = f"a step of {device.id} takes at most {device.max_step_s:g} s"
            yield NamedLimit(path, device.max_step_s, text)
        path = ("devices", d, "memory_bytes")
        yield NamedLimit(path, device.memory_bytes, f"{device.id} has {device.memory_bytes} bytes")


def without(problem: SparseUpdate, limits: Collection[NamedLimit]) -> SparseUpdate:
    """Return the problem with these limits lifted."""
    document = copy.deepcopy(problem.document)
    for limit in limits:
        _set(document, limit.path, _lifted(limit))
    for name in ("pin", "forbid"):
        if name in document:
            document[name] = [entry for entry in document[name] if entry is not _DROPPED]
    return SparseUpdate.from_document(document)


def with_value(problem: SparseUpdate, limit: NamedLimit, value: Any) -> SparseUpdate:
    """Return the problem with another value of a limit."""
    document = copy.deepcopy(problem.document)
    _set(document, limit.path, value)
    return SparseUpdate.from_document(document)


def _lifted(limit: NamedLimit) -> Any:
    """The value that limits nothing."""
    values = {
        "memory_bytes": MAX_INTEGER,
        "max_step_s": None,
        "nested": False,
        "coverage": 0,
        "depth_contribution": 0.0,
    }
    return values.get(limit.kind, _DROPPED)


def _set(document: dict[str, Any], path: Path, value: Any) -> None:
    place: Any = document
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
