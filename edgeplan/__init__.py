"""Plan the training of neural networks on edge devices, prove how good the plan is, and run it.

The names below are loaded when they are first used, so that ``import edgeplan`` loads no solver, no
torch and no web framework.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgeplan.api import check, explain, replan, run, simulate, solve
    from edgeplan.errors import (
        BackendError,
        EdgeplanError,
        InvalidInputError,
        InvalidPlanError,
        MissingExtraError,
        RunError,
        UsageError,
    )
    from edgeplan.models.explanation import Explanation
    from edgeplan.models.layer_assignment import LayerAssignment, Plan, Stage
    from edgeplan.models.problems import load
    from edgeplan.models.result import Conflict, Incumbent, Result, Status, Stop
    from edgeplan.models.segment_scheduling import SegmentPlan, SegmentScheduling
    from edgeplan.models.sparse_update import SparsePlan, SparseUpdate
    from edgeplan.models.violation import Check, Violation
    from edgeplan.solvers.segment_scheduling.controller import (
        Controller,
    )

_HOME = {
    "check": "edgeplan.api",
    "explain": "edgeplan.api",
    "replan": "edgeplan.api",
    "run": "edgeplan.api",
    "simulate": "edgeplan.api",
    "solve": "edgeplan.api",
    "load": "edgeplan.models.problems",
    "Explanation": "edgeplan.models.explanation",
    "LayerAssignment": "edgeplan.models.layer_assignment",
    "Plan": "edgeplan.models.layer_assignment",
    "Stage": "edgeplan.models.layer_assignment",
    "Conflict": "edgeplan.models.result",
    "Incumbent": "edgeplan.models.result",
    "Result": "edgeplan.models.result",
    "Status": "edgeplan.models.result",
    "Stop": "edgeplan.models.result",
    "SegmentPlan": "edgeplan.models.segment_scheduling",
    "SegmentScheduling": "edgeplan.models.segment_scheduling",
    "SparsePlan": "edgeplan.models.sparse_update",
    "SparseUpdate": "edgeplan.models.sparse_update",
    "Check": "edgeplan.models.violation",
    "Violation": "edgeplan.models.violation",
    "Controller": "edgeplan.solvers.segment_scheduling.controller",
    "BackendError": "edgeplan.errors",
    "EdgeplanError": "edgeplan.errors",
    "InvalidInputError": "edgeplan.errors",
    "InvalidPlanError": "edgeplan.errors",
    "MissingExtraError": "edgeplan.errors",
    "RunError": "edgeplan.errors",
    "UsageError": "edgeplan.errors",
}

__version__ = "0.1.0"
__all__ = [
    "BackendError",
    "Check",
    "Conflict",
    "Controller",
    "EdgeplanError",
    "Explanation",
    "Incumbent",
    "InvalidInputError",
    "InvalidPlanError",
    "LayerAssignment",
    "MissingExtraError",
    "Plan",
    "Result",
    "RunError",
    "SegmentPlan",
    "SegmentScheduling",
    "SparsePlan",
    "SparseUpdate",
    "Stage",
    "Status",
    "Stop",
    "UsageError",
    "Violation",
    "check",
    "explain",
    "load",
    "replan",
    "run",
    "simulate",
    "solve",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'edgeplan' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
