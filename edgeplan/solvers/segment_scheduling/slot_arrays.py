"""An instance and a slot as the arrays that the kernel reads."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

import numpy as np

from edgeplan.errors import UsageError
from edgeplan.models.numbers import exactly
from edgeplan.models.segment_scheduling import Gains, Queues, SegmentScheduling
from edgeplan.models.segment_scheduling.instance import Device
from edgeplan.models.segment_scheduling.queues import budgets_j
from edgeplan.solvers.segment_scheduling.kernel.library import MAX_STAGES, Slot, kernel

MOST_MICRO_BATCHES = 2_000
_LARGEST_EXACT = 2**62
_HEAVIEST = 1e150


@dataclass(frozen=True)
class Structure:
    """Stages of a cluster: micro-batches, devices within the cluster, and the block behind each stage."""

    micro_batches: int
    devices: tuple[int, ...]
    ends: tuple[int, ...]


@dataclass
class InstanceArrays:
    """What stays from slot to slot; devices of all clusters stand in one row.

    Parameters
    ----------
    problem
        The instance.
    memory_bytes
        Bytes of devices by id, where they are not those of the instance.

    Raises
    ------
    UsageError
        When pipelines could have more stages, or micro-batches, than the kernel takes.
    """

    problem: SegmentScheduling
    memory_bytes: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        most = self.problem.instance.training.max_micro_batches
        if most > MOST_MICRO_BATCHES:
            raise UsageError(
                f"/training/max_micro_batches: {most}: at most {MOST_MICRO_BATCHES} can be solved; lower it"
            )
        if self.max_stages > MAX_STAGES:
            raise UsageError(
                f"/model/layers: {self.num_blocks} blocks on clusters of up to {self._largest} devices: "
                f"pipelines of more than {MAX_STAGES} stages are not solved; join blocks"
            )

    @property
    def num_blocks(self) -> int:
        """Blocks of the encoder."""
        return self.problem.segments.num_blocks

    @cached_property
    def _largest(self) -> int:
        return max(len(cluster.devices) for cluster in self.problem.instance.clusters)

    @property
    def max_stages(self) -> int:
        """Most stages that any pipeline can have."""
        return min(self.num_blocks, self._largest)

    @cached_property
    def device_ids(self) -> list[str]:
        """Ids in the order of the row."""
        return [device.id for cluster in self.problem.instance.clusters for device in cluster.devices]

    @cached_property
    def first_device(self) -> np.ndarray:
        """Where each cluster's devices begin in the row, and where the last ones end."""
        sizes = [len(cluster.devices) for cluster in self.problem.instance.clusters]
        return np.cumsum([0, *sizes]).astype(np.int32)

    @cached_property
    def max_in_flight(self) -> int:
        """Most micro-batches that a stage can hold."""
        most = self.problem.instance.training.max_micro_batches
        return most if self._is_gpipe else min(most, 2 * self.max_stages)

    @property
    def _is_gpipe(self) -> bool:
        return self.problem.instance.training.in_flight == "gpipe"

    @cached_property
    def least_start(self) -> np.ndarray:
        """First block from which a run up to each end fits: [device, micro-batches held - 1, end]."""  # (6)
        segments, training = self.problem.segments, self.problem.instance.training
        per_parameter: Fraction = sum(
            (exactly(x) for x in (training.weight_bytes, training.gradient_bytes, training.optimizer_bytes)),
            start=Fraction(0),
        )
        devices = [d for cluster in self.problem.instance.clusters for d in cluster.devices]
        memory = [self._memory(device) * per_parameter.denominator for device in devices]
        table = np.empty((len(devices), self.max_in_flight, self.num_blocks + 1), dtype=np.int32)
        for held in range(1, self.max_in_flight + 1):
            saved = held * training.micro_batch_size * per_parameter.denominator
            before = [
                per_parameter.numerator * parameters + saved * kept
                for parameters, kept in zip(segments.parameters_before, segments.saved_before, strict=True)
            ]
            table[:, held - 1, :] = _first_fitting(before, memory)
        return table

    def _memory(self, device: Device) -> int:
        return self.memory_bytes.get(device.id, device.memory_bytes)

    def with_memory(self, memory_bytes: Mapping[str, int]) -> InstanceArrays:
        """Return the same with other memories."""
        return InstanceArrays(self.problem, memory_bytes)

    def allows(self, cluster: int, structure: Structure, present: Sequence[bool]) -> bool:
        """Whether a structure, met elsewhere, keeps all rules here: devices, order, blocks, memory."""
        training, devices, ends = self.problem.instance.training, structure.devices, structure.ends
        given = self.problem.instance.clusters[cluster].node_order == "given"
        if not 1 <= structure.micro_batches <= training.max_micro_batches or ends[-1] != self.num_blocks:
            return False
        if len(set(devices)) < len(devices) or (given and list(devices) != sorted(devices)):
            return False
        first, start = int(self.first_device[cluster]), 0
        for position, (device, end) in enumerate(zip(devices, ends, strict=True)):
            held = self.problem.segments.in_flight(structure.micro_batches, len(devices) - position)
            if start >= end or not present[device] or self.least_start[first + device, held - 1, end] > start:
                return False
            start = end
        return True

    @cached_property
    def static(self) -> dict[str, np.ndarray]:
        """Arrays of the instance by the kernel's names."""
        instance, segments = self.problem.instance, self.problem.segments
        devices = [d for cluster in instance.clusters for d in cluster.devices]
        clusters = instance.clusters
        return {
            "flops_before": np.concatenate([[0.0], np.cumsum(segments.block_flops)]),
            "hop_bits": np.array([segments.hop_bits(block) for block in range(self.num_blocks)]),
            "first_device": self.first_device,
            "d2d_band_hz": np.array([c.d2d_bandwidth_hz for c in clusters], dtype=float),
            "embedding_s": np.array([c.embedding_s for c in clusters], dtype=float),
            "decoder_s": np.array([c.decoder_s for c in clusters], dtype=float),
            "uplink_power_w": np.array([c.uplink_max_power_w for c in clusters], dtype=float),
            "given_order": np.array([c.node_order == "given" for c in clusters], dtype=np.int32),
            "flops_per_s": np.array([d.flops_per_s for d in devices], dtype=float),
            "overhead_s": np.array([d.overhead_s for d in devices], dtype=float),
            "compute_power_w": np.array([d.compute_power_w for d in devices], dtype=float),
            "max_power_w": np.array([d.max_power_w for d in devices], dtype=float),
            "least_start": np.ascontiguousarray(self.least_start),
        }

    @cached_property
    def _learnt_bytes(self) -> int:
        """Bytes that pricing keeps of a cluster from call to call; with other queues they lead astray."""
        return int(kernel().learnt_size(self._largest, self.max_stages))

    @cached_property
    def _device_budgets(self) -> np.ndarray:
        return np.array(
            [d.energy_budget_j for cluster in self.problem.instance.clusters for d in cluster.devices]
        )

    @cached_property
    def _uplink_budgets(self) -> np.ndarray:
        return np.array([cluster.uplink_energy_budget_j for cluster in self.problem.instance.clusters])

    def slot(self, prices: Prices, gains: Gains, present: Collection[str] | None) -> SlotArrays:
        """Return a slot for prices of energy and noise, gains and the devices that are there.

        Raises
        ------
        UsageError
            When a weight is beyond what can be computed with.
        """
        heaviest = max(prices.second, prices.noise, *prices.joule.values())
        if not heaviest < _HEAVIEST:
            raise UsageError(
                f"a slot's weight of time, energy or noise is {heaviest:g}; correct the units of tradeoff, "
                "budgets or queues"
            )
        there = np.ones(len(self.device_ids), dtype=np.int32)
        if present is not None:
            known = set(present)
            there = np.array([name in known for name in self.device_ids], dtype=np.int32)
        clusters = [cluster.id for cluster in self.problem.instance.clusters]
        arrays = {
            "device_price": np.array([prices.joule[name] for name in self.device_ids], dtype=float),
            "device_gain": np.array([gains.d2d[name] for name in self.device_ids], dtype=float),
            "uplink_price": np.array([prices.joule[name] for name in clusters], dtype=float),
            "uplink_gain": np.array([gains.uplink[name] for name in clusters], dtype=float),
            "present": there,
            "learnt": np.zeros((len(clusters), self._learnt_bytes), dtype=np.uint8),
        }
        return SlotArrays(self, prices, arrays)


@dataclass(frozen=True)
class Prices:
    """Weights of a slot's objective.

    Parameters
    ----------
    second
        Of T, in 1/s.
    joule
        Of each device's and control unit's energy, in 1/J.
    noise
        Of G.
    """

    second: float
    joule: Mapping[str, float]
    noise: float

    @classmethod
    def of_queues(cls, problem: SegmentScheduling, queues: Queues) -> Prices:
        """Return the controller's weights: V, Q / budget^2 and Z / noise_budget^2."""
        control = problem.instance.control
        joule = {name: queues.energy_j[name] / b / b for name, b in budgets_j(problem.instance).items()}
        return cls(control.tradeoff, joule, queues.noise / control.noise_budget / control.noise_budget)


@dataclass
class SlotArrays:
    """A slot for the kernel; keeps the arrays alive that the structure points to."""

    instance: InstanceArrays
    prices: Prices
    arrays: dict[str, np.ndarray]

    def allows(self, cluster: int, structure: Structure) -> bool:
        """Whether a structure keeps all rules with the devices that are there."""
        first, behind = self.instance.first_device[cluster : cluster + 2]
        return self.instance.allows(cluster, structure, self.arrays["present"][first:behind].tolist())

    @cached_property
    def structure(self) -> Slot:
        """The kernel's view."""
        problem = self.instance.problem
        slot = Slot(
            num_clusters=len(problem.instance.clusters),
            num_blocks=self.instance.num_blocks,
            max_micro_batches=problem.instance.training.max_micro_batches,
            max_in_flight=self.instance.max_in_flight,
            gpipe=problem.instance.training.in_flight == "gpipe",
            noise_w_per_hz=problem.instance.noise_w_per_hz,
            upload_bits=problem.segments.upload_bits,
            uplink_band_hz=problem.instance.uplink_bandwidth_hz,
        )
        slot.learnt_bytes = self.arrays["learnt"].strides[0]
        for name, array in (*self.instance.static.items(), *self.arrays.items()):
            setattr(slot, name, array.ctypes.data)
        return slot


def _first_fitting(before: list[int], memory: list[int]) -> np.ndarray:
    """First start from which the sum up to each end is at most the memory, by device."""
    if max(before[-1], *memory) < _LARGEST_EXACT:
        sums = np.array(before, dtype=np.int64)
        wanted = sums[None, :] - np.array(memory, dtype=np.int64)[:, None]
        return np.searchsorted(sums, wanted, side="left").astype(np.int32)
    import bisect

    rows = [[bisect.bisect_left(before, end - limit) for end in before] for limit in memory]
    return np.array(rows, dtype=np.int32)
