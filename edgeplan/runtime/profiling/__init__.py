"""Profiles of real networks: the model section, and measured seconds, from a PyTorch module."""

from __future__ import annotations

from edgeplan.runtime.profiling.building import build
from edgeplan.runtime.profiling.cutting import LayerSlice, cut
from edgeplan.runtime.profiling.measuring import measure
from edgeplan.runtime.profiling.named import NAMED_NETWORKS, NamedNetwork
from edgeplan.runtime.profiling.section import profile

__all__ = ["NAMED_NETWORKS", "LayerSlice", "NamedNetwork", "build", "cut", "measure", "profile"]
