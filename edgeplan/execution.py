"""Which executor runs a plan, what it is given, and which settings say nothing to it."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from edgeplan.errors import UsageError
from edgeplan.extras import require
from edgeplan.models.federated import FederatedSchedule
from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.problem import PlanDocument, Problem
from edgeplan.models.segment_scheduling import SegmentScheduling
from edgeplan.models.sparse_update import SparseUpdate
from edgeplan.runtime.processes.records import read_json, unfinished_job

_OF_UPDATES = frozenset({"local_steps", "collectives"})
_OF_PRIVACY = frozenset({"noise", "clip", "delta", "noise_seed"})
_OF_VISITS = frozenset({"distill", "distill_above", "temperature", "schedule", "memory_limit"})


@dataclass(frozen=True)
class Execution:
    """An executor, and what it runs.

    Parameters
    ----------
    executor
        Package with `run`, `prepare`, `render` and `RunSettings`.
    subject
        What it runs, in words.
    unused
        Settings of other executors.
    given
        Problem and plan, as `run` takes them.
    goes_on
        Whether it starts again without nodes that were lost, and tells of it.
    plans_anew
        Whether it goes on by a new plan then.
    """

    executor: str
    subject: str
    unused: Set[str]
    given: tuple[Any, ...]
    goes_on: bool = False
    plans_anew: bool = False

    @property
    def package(self) -> Any:
        """The executor; it needs torch.

        Raises
        ------
        MissingExtraError
            When that is not installed.
        """
        require("torch", purpose="edgeplan run")
        return import_module(f"edgeplan.runtime.{self.executor}")


def execution_of(
    problem: Problem, plan: PlanDocument | FederatedSchedule, notes: Mapping[str, Any]
) -> Execution:
    """Return the executor of a plan.

    Parameters
    ----------
    problem
        The instance.
    plan
        A plan of it, or of layer_assignment a schedule of federated averaging.
    notes
        The instance as plain JSON with its notes.

    Examples
    --------
    >>> from edgeplan.models.layer_assignment.examples import two_layers_two_nodes
    >>> problem = two_layers_two_nodes()
    >>> plan = problem.plan_from_document({"stages": [{"node": "fast", "layers": ["conv", "head"]}]})
    >>> execution_of(problem, plan, {}).executor
    'snake'
    """
    given = (problem, plan)
    if isinstance(problem, SparseUpdate):
        unused: Set[str] = {"network", "data", "alpha", "learning_rate", "spares"} | _OF_PRIVACY
        unused |= _OF_VISITS - {"memory_limit"}
        return Execution("sparse.execution", problem.name, unused, (*given, notes), goes_on=True)
    if isinstance(problem, SegmentScheduling):
        unused = {"baseline", "data", "alpha", "spares"} | _OF_UPDATES | _OF_VISITS | _OF_PRIVACY
        return Execution("pipeline", problem.name, unused, given, goes_on=True, plans_anew=True)
    if isinstance(plan, FederatedSchedule):
        unused = {"rounds", "baseline", "spares"} | _OF_UPDATES | _OF_VISITS
        return Execution("federated", "a schedule of federated averaging", unused, given, goes_on=True)
    assert isinstance(problem, LayerAssignment)
    if problem.is_pipeline:
        unused = {"alpha", "spares"} | _OF_UPDATES | _OF_VISITS | _OF_PRIVACY
        return Execution(
            "pipeline.batches", "schedule pipeline", unused, given, goes_on=True, plans_anew=True
        )
    return Execution("snake", problem.name, _OF_UPDATES, given, goes_on=True, plans_anew=True)


def resumed_execution(folder: Path) -> Execution:
    """Return the executor of a run that has not come to its end; it is given the folder.

    Raises
    ------
    UsageError
        When there is none in the folder, or one of an executor that cannot go on.
    """
    document = read_json(unfinished_job(folder))
    if "legs" in document:
        return Execution("snake", "layer_assignment", frozenset(), (folder,), goes_on=True, plans_anew=True)
    if "endings" in document:
        subject = "a schedule of federated averaging"
        return Execution("federated", subject, frozenset(), (folder,), goes_on=True)
    if "course" in document:
        return Execution("sparse.execution", "sparse_update", frozenset(), (folder,), goes_on=True)
    if "slots_by" in document:
        return Execution(
            "pipeline", "segment_scheduling", frozenset(), (folder,), goes_on=True, plans_anew=True
        )
    if "batches_by" in document:
        return Execution(
            "pipeline.batches", "schedule pipeline", frozenset(), (folder,), goes_on=True, plans_anew=True
        )
    raise UsageError(f"{folder}: holds no job of edgeplan; name the folder that a run was given by --out")
