"""The integer programme of an instance as an .lp or .mps file, for any solver and any reader.

It holds every step that the limits of a single stage allow, and nothing is pruned: its optimum is the
instance's. Coefficients are in the instance's own units; limits have the tolerance of formats.md.

==================================== =====================================================================
name                                 meaning
==================================== =====================================================================
``step_3_to_5_on_pi_after_jetson``   layers 3 to 5 of the model on node pi, which gets its parameters, or
                                     activations, from node jetson
``..._after_jetson_and_alike``       ... or from a node that costs the same as a sender
``..._after_none``                   nothing moves to this stage
``time_3``, ``begin_3``              with windows: when layer 3 is reached, and when its stage computes
``window_3_pi_0``                    ... and whether that is in the first window of pi
``balance_3_jetson``                 what ends before layer 3 on jetson is followed by what it sends to
``node_once_pi``, ``deadline_s`` ... the constraint of that name
==================================== =====================================================================
"""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from edgeplan.errors import UsageError
from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.models.network import Node
from edgeplan.models.numbers import LIMIT_TOLERANCE
from edgeplan.solvers.layer_assignment.candidates import candidates
from edgeplan.solvers.layer_assignment.circulation.circulation import Circulation
from edgeplan.solvers.layer_assignment.milp.pulp_process import PulpProcess
from edgeplan.solvers.pulp_process import AUTO

SUFFIXES = (".lp", ".mps")
MAX_STEPS = 500_000
_FINE = 2.0**52  # integer units of the largest figure, so that nothing is lost on the way
_LONGEST = 40  # part of a node's id in a name; LP files allow 255 characters in all
_WRITE_S = 600.0
_BUDGETS = ("deadline_s", "budget_energy_j", "budget_price")  # in the order of the job


@dataclass(frozen=True)
class _AsWritten(Circulation):
    """The programme at a scale that keeps floats as they are."""

    @cached_property
    def scale(self) -> float:
        """Integer units of one unit of the objective."""
        return _FINE / self._largest_cost if self._largest_cost > 0 else 1.0

    @property
    def time_scale(self) -> float:
        """Integer units of one second."""
        return self._time_scale if self.has_windows else 1.0

    def _budgets(self) -> list[dict[str, Any]]:
        """Limits on sums over the plan, each with the size of its integer unit."""
        budgets = []
        for term, limit, peaks in self._limited():
            allowed, needs = limit + LIMIT_TOLERANCE * max(1.0, limit), term[self.steps]
            scale = _FINE / max(allowed, float(needs.max(initial=0.0)))
            budgets.append(
                {
                    "needs": [round(need) for need in (needs * scale).tolist()],
                    "limit": round(allowed * scale),
                    "peak": self._peak(peaks * scale),
                    "unit": 1.0 / scale,
                }
            )
        return budgets

    def named_job(self) -> dict[str, Any]:
        """Write the programme as plain values with its names and units."""
        job = self.job(excluded=[], hint=[])
        return job | {"scale": self.scale, "time_scale": self.time_scale, "names": self._names(job)}

    def _names(self, job: dict[str, Any]) -> dict[str, Any]:
        instance, own = self.arcs.table.problem.instance, self.arcs.table.problem.figures.own
        nodes = _unique_names(self.arcs.candidates)
        classes = self._class_names(nodes)
        ends = zip(job["start"], job["end"], job["node"], job["sender"], strict=True)
        return {
            "title": _plain(instance.name),
            "steps": [
                f"step_{own[start]}_to_{own[end - 1]}_on_{nodes[node]}_after_{classes[sender]}"
                for start, end, node, sender in ends
            ],
            "positions": [*own, "end"],
            "classes": classes,
            "nodes": nodes,
            "budgets": [name for name in _BUDGETS if getattr(instance.limits, name) is not None],
        }

    def _class_names(self, nodes: list[str]) -> list[str]:
        """Name of each sender class, the one from which nothing moves last."""
        server = self.arcs.table.problem.server
        if server is not None:
            return [_plain(server), "none"]
        members = Counter(self.arcs.class_of.tolist())
        first = {kind: nodes[column] for column, kind in reversed([*enumerate(self.arcs.class_of.tolist())])}
        names = [first[kind] + ("_and_alike" if members[kind] > 1 else "") for kind in sorted(members)]
        return [*names, "none"]


def write_model(problem: LayerAssignment, path: Path) -> int:
    """Write the integer programme of an instance.

    Parameters
    ----------
    problem
        The instance; it is not solved.
    path
        File that ends in ``.lp`` or ``.mps``.

    Returns
    -------
    int
        Number of steps, the binary variables of which a plan is made.

    Raises
    ------
    UsageError
        For another suffix, for an instance of which no plan can be made, and for one too large.
    MissingExtraError
        When PuLP is not installed.
    """
    check_suffix(path)
    job = _programme(problem).named_job() | {"path": str(path), "format": path.suffix[1:]}
    with PulpProcess(AUTO) as process:
        final = list(process.messages(job, until=time.monotonic() + _WRITE_S))[-1]
    if final["status"] == "infeasible":
        raise UsageError(f"no step can keep the constraint {final['row']}: there is no programme to write")
    if final["status"] == "unwritable":
        raise UsageError(f"{path}: cannot be written: {final['reason']}; make room for it")
    return len(job["start"])


def check_suffix(path: Path) -> None:
    """Raise a `UsageError` for a file that is neither .lp nor .mps."""
    if path.suffix not in SUFFIXES:
        raise UsageError(f"{path}: must end in {' or '.join(SUFFIXES)}; name such a file")


def _programme(problem: LayerAssignment) -> _AsWritten:
    """All steps of the instance, if they are not too many."""
    chosen = candidates(problem)
    if not chosen.complete:
        n, nodes = len(problem.figures.own), len(problem.instance.network.nodes)
        raise UsageError(
            f"--write-model: {n * (n + 1) // 2} runs of layers times {nodes} nodes times their senders are "
            f"more than the {MAX_STEPS} steps that a file may hold; take fewer layers or nodes"
        )
    count = int(chosen.arcs.allowed.sum())
    if count > MAX_STEPS:
        raise UsageError(
            f"--write-model: {count} steps are more than the {MAX_STEPS} that a file may hold; "
            "take fewer layers or nodes"
        )
    return _AsWritten(chosen.arcs, chosen.arcs.allowed, None)


def _plain(name: str) -> str:
    """Return a name of letters, digits and single underscores, as LP files allow."""
    return re.sub(r"_+", "_", re.sub(r"[^A-Za-z0-9]", "_", name))[:_LONGEST].strip("_") or "x"


def _unique_names(nodes: list[Node]) -> list[str]:
    """Plain names of nodes, with their number where two are alike."""
    plain = [_plain(node.id) for node in nodes]
    uses = Counter(plain)
    return [name if uses[name] == 1 else f"{name}__{column}" for column, name in enumerate(plain)]
