"""DSSDA online: every slot decided for the gains and queues at hand, with proof of how good it is."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from edgeplan.errors import InvalidInputError, UsageError
from edgeplan.models.faults import Fault
from edgeplan.models.fields import Count, Document, NonNegative
from edgeplan.models.reading import read_document
from edgeplan.models.segment_scheduling import Gains, Queues, SegmentScheduling, SlotPlan
from edgeplan.models.segment_scheduling.instance import NOISE
from edgeplan.models.segment_scheduling.slot_cost import SlotCost, slot_cost
from edgeplan.solvers.limits import check_options
from edgeplan.solvers.segment_scheduling.slot_arrays import Prices
from edgeplan.solvers.segment_scheduling.slot_search import OnBetter
from edgeplan.solvers.segment_scheduling.slot_series import SlotSeries

OPTIMAL_GAP = 1e-6


@dataclass(frozen=True)
class Decision:
    """What the controller decided for a slot.

    Parameters
    ----------
    slot
        Which slot it was, from 0.
    plan
        What every cluster does.
    cost
        What it takes, and the queues behind it.
    bound
        Proven lower bound of the slot's objective over all decisions of the devices there.
    skipped
        Clusters that can do nothing with the devices there, each with the reason.
    interrupted
        Whether the search was told to end, by Ctrl-C or `EnoughError`.
    """

    slot: int
    plan: SlotPlan
    cost: SlotCost
    bound: float
    skipped: Mapping[str, str]
    interrupted: bool = False

    @property
    def objective(self) -> float:
        """The slot's objective."""
        return self.cost.objective

    @property
    def gap(self) -> float:
        """Relative distance of objective and bound."""
        return max(0.0, self.objective - self.bound) / max(1e-12, abs(self.objective))

    @property
    def is_optimal(self) -> bool:
        """Whether the decision is proven the best one."""
        return self.gap <= OPTIMAL_GAP

    def to_document(self) -> dict[str, Any]:
        """Return the decision as plain JSON values."""
        return {
            "slot": self.slot,
            **self.plan.to_document(),
            "bound": self.bound,
            "gap": self.gap,
            "skipped": dict(self.skipped),
            "metrics": self.cost.to_document(),
        }


class _State(Document):
    """The state of a controller as it is saved."""

    slot: Count
    """Slots decided so far."""
    queues: dict[str, NonNegative]
    """Queues of every device and control unit, and of the noise."""


class Controller:
    """Decides slot after slot for other systems: gains in, decision out.

    Parameters
    ----------
    problem
        The instance; its channels and number of slots do not matter here.
    gap
        Relative gap at which a slot counts as solved.
    slot_time_s
        Wall-clock seconds for a decision; the best so far is taken then, with its bound.
    workers
        Clusters priced side by side.

    Raises
    ------
    UsageError
        When an option is out of range.

    Examples
    --------
    >>> from edgeplan.models.segment_scheduling.examples import two_blocks_two_phones
    >>> controller = Controller(two_blocks_two_phones())
    >>> gains = {"d2d": {"fast": 1e-9, "slow": 2e-9}, "uplink": {"home": 1e-10}}
    >>> decision = controller.step(gains)
    >>> [stage.device for stage in decision.plan.clusters[0].stages], decision.is_optimal
    (['slow', 'fast'], True)
    >>> saved = controller.state()
    >>> controller.step(gains, devices=["fast"]).skipped["home"]
    'no segmentation fits the memory of the devices that are there: fast'
    >>> controller.restore(saved)
    """

    def __init__(
        self,
        problem: SegmentScheduling,
        *,
        gap: float = OPTIMAL_GAP,
        slot_time_s: float = math.inf,
        workers: int = 1,
    ) -> None:
        self._problem = problem
        check_options(
            ("gap", gap, "at least 0 and finite", _is_number(gap) and 0 <= gap < math.inf),
            ("slot_time_s", slot_time_s, "above 0", _is_number(slot_time_s) and slot_time_s > 0),
            ("workers", workers, "a whole number, at least 1", type(workers) is int and workers >= 1),
        )
        self._slot_time_s = slot_time_s
        self._series = SlotSeries(problem, gap=min(max(gap, 1e-9), 1.0), workers=workers)
        self._ids = [device.id for cluster in problem.instance.clusters for device in cluster.devices]
        self._queues = problem.initial_queues
        self._slot = 0

    @property
    def queues(self) -> Queues:
        """Queues that the next slot meets."""
        return self._queues

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, as plain JSON values."""
        return {"slot": self._slot, "queues": self._queues.to_document()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back, or on, to a saved state.

        Raises
        ------
        InvalidInputError
            When it is no state of a controller of this instance.
        """
        if not isinstance(state, Mapping):
            raise UsageError(f"state: {state!r}: must be what state() returned")
        read = read_document(dict(state), _State, source="state")
        names = set(self._queues.to_document())
        faults = [
            Fault(("queues", name), "must be a device or cluster of the instance, or noise; drop it")
            for name in read.queues.keys() - names
        ]
        faults += [
            Fault(("queues", name), "required member is missing; add it")
            for name in names - read.queues.keys()
        ]
        if faults:
            raise InvalidInputError(faults, "state")
        self._slot = read.slot
        energy_j = {name: read.queues[name] for name in self._queues.energy_j}
        self._queues = Queues(energy_j, read.queues[NOISE])

    def step(
        self,
        gains: Gains | Mapping[str, Mapping[str, float]],
        *,
        devices: Collection[str] | Mapping[str, int] | None = None,
        until: float | None = None,
        hint: SlotPlan | None = None,
        on_better: OnBetter | None = None,
    ) -> Decision:
        """Decide a slot, and move the queues on.

        Parameters
        ----------
        gains
            Gains of the devices that are there and of all control units: ``{"d2d": ..., "uplink": ...}``.
        devices
            Ids of the devices that are there, all by default; as a mapping, with the bytes that each has
            left, at most what the instance says.
        until
            Monotonic time at which to decide at the latest; by default `slot_time_s` from now.
        hint
            A decision whose stages and micro-batches are tried too; the decision is never worse.
        on_better
            Called with every better objective or bound of the slot.

        Raises
        ------
        UsageError
            When a gain is missing or not above 0, or a device is unknown.
        """
        if hint is not None and not isinstance(hint, SlotPlan):
            raise UsageError(f"hint: {hint!r}: must be a SlotPlan")
        if until is None:
            until = time.monotonic() + self._slot_time_s
        present = self._present(devices)
        slot_gains = self._gains(gains, present)
        answer = self._series.solve(
            Prices.of_queues(self._problem, self._queues),
            slot_gains,
            until=until,
            present=present,
            memory_bytes=self._memory(devices),
            hint=hint,
            on_better=on_better,
        )
        cost = slot_cost(self._problem.segments, answer.plan, slot_gains, self._queues)
        bound = min(answer.bound, cost.objective)
        decision = Decision(self._slot, answer.plan, cost, bound, answer.skipped, answer.interrupted)
        self._slot, self._queues = self._slot + 1, cost.queues
        return decision

    def close(self) -> None:
        """End the threads; a controller of one worker has none."""
        self._series.close()

    # ---- what comes in ----

    def _present(self, devices: Collection[str] | None) -> list[str]:
        if devices is None:
            return self._ids
        if not isinstance(devices, Collection) or not all(isinstance(name, str) for name in devices):
            raise UsageError(f"devices: {devices!r}: must be ids, or a mapping from ids to bytes")
        unknown = sorted(set(devices) - set(self._ids))
        if unknown:
            raise UsageError(f"devices: {unknown[0]!r}: must be a device of the instance; drop it")
        known = set(devices)
        return [name for name in self._ids if name in known]

    def _gains(self, gains: Gains | Mapping[str, Mapping[str, float]], present: Collection[str]) -> Gains:
        if not isinstance(gains, Gains):
            parts = gains if isinstance(gains, Mapping) else {}
            if set(parts) != {"d2d", "uplink"} or not all(isinstance(p, Mapping) for p in parts.values()):
                raise UsageError('gains: must have "d2d" and "uplink", each a mapping from ids to gains')
            gains = Gains(gains["d2d"], gains["uplink"])
        there = set(present)
        clusters = [cluster.id for cluster in self._problem.instance.clusters]
        for part, given, names in (("d2d", gains.d2d, present), ("uplink", gains.uplink, clusters)):
            for name in names:
                value = given.get(name)
                if not _is_number(value) or not 0 < value < math.inf:
                    raise UsageError(f"gains: {part}: {name}: {value!r}: must be above 0 and finite")
        d2d = {name: gains.d2d[name] if name in there else 1.0 for name in self._ids}
        return Gains(d2d, dict(gains.uplink))

    def _memory(self, devices: Collection[str] | Mapping[str, int] | None) -> dict[str, int] | None:
        """Bytes of the devices where the caller tells them, at most what the instance says."""
        if not isinstance(devices, Mapping):
            return None
        for name, memory in devices.items():
            if type(memory) is not int or memory < 0:
                raise UsageError(f"devices: {name}: {memory!r}: must be whole bytes, at least 0")
        have = {d.id: d.memory_bytes for cluster in self._problem.instance.clusters for d in cluster.devices}
        return {name: min(have[name], left) for name, left in devices.items()}


def _is_number(value: object) -> TypeGuard[float]:
    """Whether it is a real number that a float holds, and no boolean."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, float) or abs(value) < 1e300
