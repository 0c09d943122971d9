"""What every process of a pipeline has, whatever the plan: clock, pace, optimizers and events."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from edgeplan.runtime.emulation.pace import MACHINE, Pace
from edgeplan.runtime.learning.workload import optimizer_for
from edgeplan.runtime.processes.journal import Journal
from edgeplan.runtime.processes.meeting import Meeting
from edgeplan.runtime.processes.records import Event
from edgeplan.runtime.sparse.execution.exchange.ways import Groups

_OPTIMIZER = "optimizer/"


@dataclass(kw_only=True)
class StageProcess:
    """One process of a run.

    Parameters
    ----------
    rank
        Of this process.
    slower
        Seconds here for a second of the instance.
    optimizer_bytes, learning_rate
        Of the optimizer; None is its default rate.
    meeting
        Of all processes.
    groups
        Of every pipeline's stages.
    pace
        How fast it computes here.
    events
        What happened, in order.
    """

    rank: int
    slower: float
    optimizer_bytes: float
    learning_rate: float | None
    meeting: Meeting
    groups: Groups
    pace: Pace = MACHINE
    events: list[Event] | Journal = field(default_factory=list)
    _optimizers: dict[str, torch.optim.Optimizer] = field(default_factory=dict)

    def now_s(self) -> float:
        """Seconds of the instance, from some moment that all processes have in common."""
        return time.monotonic() / self.slower

    def note(self, kind: str, **members: object) -> None:
        """Keep an event."""
        self.events.append({"event": kind, "rank": self.rank, **members})

    def optimizer(self, module: nn.Module) -> torch.optim.Optimizer | None:
        """Return a fresh optimizer of a module; None where it has no parameters."""
        return optimizer_for(list(module.parameters()), self.optimizer_bytes, self.learning_rate)

    def step(self, modules: Mapping[str, nn.Module]) -> None:
        """Let each module's optimizer take a step; its state begins anew with a module that comes here."""
        kept, self._optimizers = self._optimizers, {}
        for name, module in modules.items():
            optimizer = kept.get(name) or self.optimizer(module)
            if optimizer is not None:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                self._optimizers[name] = optimizer

    def optimizer_states(self) -> dict[str, Tensor]:
        """Return the state of all optimizers."""
        return {
            f"{_OPTIMIZER}{name}/{index}/{key}": value
            for name, optimizer in self._optimizers.items()
            for index, entries in optimizer.state_dict()["state"].items()
            for key, value in entries.items()
            if isinstance(value, Tensor)
        }

    def restore_optimizers(self, state: Mapping[str, Tensor], modules: Mapping[str, nn.Module]) -> None:
        """Make the optimizers that had this state, of those modules that are given by name."""
        found: dict[str, dict[int, dict[str, Tensor]]] = {}
        for path, value in state.items():
            if path.startswith(_OPTIMIZER):
                name, index, key = path.removeprefix(_OPTIMIZER).rsplit("/", 2)
                if name in modules:
                    found.setdefault(name, {}).setdefault(int(index), {})[key] = value
        for name, entries in found.items():
            optimizer = self.optimizer(modules[name])
            assert optimizer is not None
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": entries, "param_groups": groups})
            self._optimizers[name] = optimizer
