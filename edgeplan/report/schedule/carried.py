"""Who carries what over the slots: blocks of every device, micro-batches of every cluster."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edgeplan.models.segment_scheduling import SegmentPlan, SegmentScheduling
from edgeplan.models.segment_scheduling.plan import ClusterPlan


@dataclass(frozen=True)
class Carried:
    """What one device carries.

    Parameters
    ----------
    cluster, device
        Their ids.
    by_slot
        Number of blocks in every slot, 0 where it rests.
    by_block
        Share of the slots in which it carries each block, in model order.
    """

    cluster: str
    device: str
    by_slot: tuple[int, ...]
    by_block: tuple[float, ...]

    @property
    def active_slots(self) -> int:
        """Slots in which it carries anything."""
        return sum(blocks > 0 for blocks in self.by_slot)

    @property
    def mean_blocks(self) -> float | None:
        """Mean number of blocks where it carries any; None where it always rests."""
        return sum(self.by_slot) / self.active_slots if self.active_slots else None


def carried_of(plan: SegmentPlan, problem: SegmentScheduling | None) -> tuple[Carried, ...]:
    """Return what every device carries, in document order; without an instance those that the plan uses."""
    blocks = {name: k for k, name in enumerate(_block_names(plan, problem))}
    by_slot = {who: [0] * len(plan.slots) for who in _devices(plan, problem)}
    by_block = {who: [0] * len(blocks) for who in by_slot}
    for t, slot in enumerate(plan.slots):
        for entry in slot.clusters:
            for stage in entry.stages:
                by_slot[entry.id, stage.device][t] += len(stage.layers)
                for name in stage.layers:
                    by_block[entry.id, stage.device][blocks[name]] += 1
    return tuple(
        Carried(*who, tuple(counts), tuple(times / len(plan.slots) for times in by_block[who]))
        for who, counts in by_slot.items()
    )


def _devices(plan: SegmentPlan, problem: SegmentScheduling | None) -> Iterator[tuple[str, str]]:
    if problem is not None:
        yield from ((n.id, device.id) for n in problem.instance.clusters for device in n.devices)
        return
    used = {entry.id: dict[str, None]() for entry in plan.slots[0].clusters} if plan.slots else {}
    for entry in _entries(plan):
        used.setdefault(entry.id, {}).update((stage.device, None) for stage in entry.stages)
    yield from ((cluster, device) for cluster, devices in used.items() for device in devices)


def _block_names(plan: SegmentPlan, problem: SegmentScheduling | None) -> tuple[str, ...]:
    """Names of the blocks in model order, that of the stages of any pipeline; strangers behind them."""
    if problem is not None:
        return tuple(block.name for block in problem.instance.model.layers)
    names = (name for entry in _entries(plan) for stage in entry.stages for name in stage.layers)
    return tuple(dict.fromkeys(names))


def _entries(plan: SegmentPlan) -> Iterator[ClusterPlan]:
    return (entry for slot in plan.slots for entry in slot.clusters)


def micro_batches_of(plan: SegmentPlan) -> dict[str, tuple[int, ...]]:
    """Micro-batches of every cluster in every slot; 0 where it is skipped or not there."""
    counts: dict[str, list[int]] = {}
    for t, slot in enumerate(plan.slots):
        for entry in slot.clusters:
            counts.setdefault(entry.id, [0] * len(plan.slots))[t] = entry.micro_batches or 0
    return {cluster: tuple(some) for cluster, some in counts.items()}
