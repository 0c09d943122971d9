"""Profiles of real networks: the model section, and measured seconds, from a PyTorch module.

The names are loaded when they are first used: a worker that only builds and cuts a network is spared
the imports of profiling.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgeplan.runtime.profiling.building import build
    from edgeplan.runtime.profiling.cutting import LayerSlice, cut
    from edgeplan.runtime.profiling.measuring import measure
    from edgeplan.runtime.profiling.named import NAMED_NETWORKS, NamedNetwork
    from edgeplan.runtime.profiling.section import profile
    from edgeplan.runtime.profiling.weighing import weighed

_HOME = {
    "build": "building",
    "LayerSlice": "cutting",
    "cut": "cutting",
    "measure": "measuring",
    "NAMED_NETWORKS": "named",
    "NamedNetwork": "named",
    "profile": "section",
    "weighed": "weighing",
}

__all__ = ["NAMED_NETWORKS", "LayerSlice", "NamedNetwork", "build", "cut", "measure", "profile", "weighed"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
