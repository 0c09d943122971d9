"""Slot problems of one instance in a row: each begins from the structures and prices of the one before."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from edgeplan.errors import BackendError
from edgeplan.models.segment_scheduling import Gains, SegmentScheduling, SlotPlan
from edgeplan.models.segment_scheduling.plan import ClusterPlan
from edgeplan.solvers.search import EnoughError
from edgeplan.solvers.segment_scheduling.branching import search_slot
from edgeplan.solvers.segment_scheduling.first_structures import Feasibility, UndecidedError
from edgeplan.solvers.segment_scheduling.slot_arrays import InstanceArrays, Prices, SlotArrays, Structure
from edgeplan.solvers.segment_scheduling.slot_search import Before, OnBetter, SlotSearch
from edgeplan.solvers.segment_scheduling.together import Noise, cluster_plans


@dataclass(frozen=True)
class SlotAnswer:
    """The best decision of a slot.

    Parameters
    ----------
    plan
        What every cluster does.
    bound
        Proven lower bound of the slot's objective.
    skipped
        Clusters that can do nothing with the devices there, each with the reason.
    interrupted
        Whether the search was told to end, by Ctrl-C or `EnoughError`.
    """

    plan: SlotPlan
    bound: float
    skipped: Mapping[str, str]
    interrupted: bool = False


@dataclass
class SlotSeries:
    """Solves slots of one instance.

    Parameters
    ----------
    problem
        The instance.
    gap
        Relative gap at which a slot counts as solved.
    workers
        Clusters priced side by side.
    """

    problem: SegmentScheduling
    gap: float
    workers: int = 1
    _last: dict[int, Structure] = field(default_factory=dict)
    _before: Before | None = None

    def __post_init__(self) -> None:
        self._pool = ThreadPoolExecutor(self.workers) if self.workers > 1 else None
        self._arrays = InstanceArrays(self.problem)

    def close(self) -> None:
        """End the threads; with one worker there are none."""
        if self._pool is not None:
            self._pool.shutdown()

    def solve(
        self,
        prices: Prices,
        gains: Gains,
        *,
        until: float,
        present: Collection[str] | None = None,
        memory_bytes: Mapping[str, int] | None = None,
        hint: SlotPlan | None = None,
        on_better: OnBetter | None = None,
    ) -> SlotAnswer:
        """Solve one slot.

        Parameters
        ----------
        prices
            Weights of its objective.
        gains
            Its gains, of every device and control unit.
        until
            Monotonic time at which to answer with the best so far.
        present
            Ids of the devices that are there; all by default.
        memory_bytes
            Bytes of devices, where they are not those of the instance.
        hint
            A decision whose stages and micro-batches are tried too.
        on_better
            Called with every better objective or bound.

        Raises
        ------
        BackendError
            When its figures are beyond what the programme can be solved for.
        """
        arrays = self._arrays.with_memory(memory_bytes) if memory_bytes else self._arrays
        slot = arrays.slot(prices, gains, present)
        there = set(slot.instance.device_ids if present is None else present)
        starts, skipped = self._starts(slot, there)
        if not starts:
            return SlotAnswer(self._plan({}), self._noise(slot, 1).cost(1), skipped)
        most = len(starts) * self.problem.instance.training.max_micro_batches
        search = SlotSearch(slot, self._noise(slot, len(starts), most), self.gap, until, self._pool)
        search.on_better = on_better
        if hint is not None:
            search.evaluate(_hinted(slot, hint, starts, there))
        interrupted = self._search(search, starts, there)
        if search.best is None or search.bound is None:
            raise BackendError("the programme of a slot could not be solved; its figures may be out of scale")
        self._last = dict(search.best.structures)
        self._before = search.met or self._before
        plan = self._plan(cluster_plans(slot, search.best))
        return SlotAnswer(plan, search.bound, skipped, interrupted)

    def _search(self, search: SlotSearch, starts: dict[int, Structure], there: Collection[str]) -> bool:
        """Search; return whether it was told to end, which keeps what it knows."""
        try:
            search_slot(search, starts, self._recalled(search.slot, starts, there))
        except (KeyboardInterrupt, EnoughError):
            if search.best is None:
                raise
            search.on_better = None
            search.tighten_bound(search.noise.cost(search.noise.most))
            return True
        return False

    def _plan(self, plans: Mapping[int, ClusterPlan]) -> SlotPlan:
        """Write a slot's plan; clusters without one are skipped."""
        entries = (
            plans.get(n, ClusterPlan(id=cluster.id, skipped=True))
            for n, cluster in enumerate(self.problem.instance.clusters)
        )
        return SlotPlan(clusters=tuple(entries))

    def _noise(self, slot: SlotArrays, fewest: int, most: int = 1) -> Noise:
        level, size = (
            self.problem.instance.control.noise_level,
            self.problem.instance.training.micro_batch_size,
        )
        return Noise(slot.prices.noise * level / size, fewest, most)

    def _recalled(
        self, slot: SlotArrays, starts: Mapping[int, Structure], there: Collection[str]
    ) -> Before | None:
        """What the slot before met, as far as it fits; nothing if other clusters took part."""
        if self._before is None or self._before.structures.keys() != starts.keys():
            return None
        fitting = {}
        for n, structures in self._before.structures.items():
            have = [device.id in there for device in self.problem.instance.clusters[n].devices]
            kept = tuple(s for s in structures if slot.instance.allows(n, s, have))
            fitting[n] = kept or (starts[n],)
        return dataclasses.replace(self._before, structures=fitting)

    def _starts(
        self, slot: SlotArrays, there: Collection[str]
    ) -> tuple[dict[int, Structure], dict[str, str]]:
        """Structures to begin with, of the slot before where they still fit, and who is skipped."""
        starts, skipped = {}, {}
        for n, cluster in enumerate(self.problem.instance.clusters):
            have = [device.id in there for device in cluster.devices]
            structure = self._last.get(n)
            if structure is None or not slot.instance.allows(n, structure, have):
                structure = _first(slot.instance, n, have)
            if structure is not None:
                starts[n] = structure
            else:
                skipped[cluster.id] = _why_skipped(Feasibility(slot.instance, n, have), there)
        return starts, skipped


def _first(arrays: InstanceArrays, n: int, have: list[bool]) -> Structure | None:
    try:
        return Feasibility(arrays, n, have).structure()
    except UndecidedError:
        raise BackendError(
            f"whether cluster {arrays.problem.instance.clusters[n].id} can run the encoder could not be "
            "decided; its devices have too many different memories"
        ) from None


def _hinted(
    slot: SlotArrays, hint: SlotPlan, starts: dict[int, Structure], there: Collection[str]
) -> dict[int, Structure]:
    """Structures of the hint where they fit, and those to begin with elsewhere."""
    hinted, entries = dict(starts), {entry.id: entry for entry in hint.clusters}
    for n in starts:
        cluster = slot.instance.problem.instance.clusters[n]
        structure = _structure_of(entries.get(cluster.id), {d.id: i for i, d in enumerate(cluster.devices)})
        have = [device.id in there for device in cluster.devices]
        if structure is not None and slot.instance.allows(n, structure, have):
            hinted[n] = structure
    return hinted


def _structure_of(entry: ClusterPlan | None, index_of: Mapping[str, int]) -> Structure | None:
    if entry is None or not entry.stages or entry.micro_batches is None:
        return None
    if any(stage.device not in index_of for stage in entry.stages):
        return None
    devices = tuple(index_of[stage.device] for stage in entry.stages)
    ends = tuple(itertools.accumulate(len(stage.layers) for stage in entry.stages))
    return Structure(entry.micro_batches, devices, ends)


def _why_skipped(feasibility: Feasibility, there: Collection[str]) -> str:
    if not feasibility.uploads:
        return "its control unit has no band or power to upload with"
    devices = feasibility.arrays.problem.instance.clusters[feasibility.cluster].devices
    names = [device.id for device in devices if device.id in there]
    if not names:
        return "none of its devices is there"
    return f"no segmentation fits the memory of the devices that are there: {', '.join(names)}"
