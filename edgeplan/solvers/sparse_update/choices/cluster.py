"""An instance as arrays, in units of the objective: what all solvers of sparse_update compute with.

Devices that nothing tells apart form a class, in which all do the same; in a small cluster every device is
a class of its own. A slice of weights stands for an option, the channels between it and the smaller one, and
has the option's index; the biases' slices follow, layer by layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from edgeplan.models.network import Network
from edgeplan.models.sparse_update import SparsePlan, SparseUpdate, SparseUpdateInstance
from edgeplan.models.sparse_update.plan import DevicePlan, Update

_ALWAYS_APART, _MOST_APART = 8, 12  # devices that are all classes of their own; that may be if slices are few
_MOST_LISTED = 300_000  # sets of devices times slices
_TOLERANCE = 1e-9

Array = np.ndarray


@dataclass(frozen=True)
class Choices:
    """What the classes of a cluster do.

    Parameters
    ----------
    depth
        Of every class.
    option
        Option of every class (row) and layer (column), -1 for none.
    """

    depth: Array
    option: Array


@dataclass(frozen=True)
class Cluster:
    """Layers, options and classes of devices.

    Parameters
    ----------
    problem
        The problem.
    members
        Indices of the devices of every class.
    """

    problem: SparseUpdate
    members: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, problem: SparseUpdate, *, apart: bool | None = None) -> Cluster:
        """Put the devices of a problem into classes.

        Parameters
        ----------
        apart
            Whether every device is a class of its own; by default where there are few.
        """
        alone = cls(problem, tuple((d,) for d in range(len(problem.instance.devices))))
        if apart or (apart is None and (alone.num_classes <= _ALWAYS_APART or alone.is_listed)):
            return alone
        return cls(problem, _classes(problem.instance))

    @property
    def instance(self) -> SparseUpdateInstance:
        """The instance."""
        return self.problem.instance

    @cached_property
    def count(self) -> Array:
        """Devices of every class."""
        return np.array([len(own) for own in self.members], np.int64)

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.members)

    @property
    def is_listed(self) -> bool:
        """Whether every device is a class of its own, and all sets of them can be listed for every slice."""
        return int(self.count.max()) == 1 and self.has_few_sets

    @property
    def has_few_sets(self) -> bool:
        """Whether all sets of classes can be listed for every slice."""
        few = self.num_classes <= _MOST_APART
        return few and 2**self.num_classes * self.num_slices <= _MOST_LISTED

    @property
    def num_layers(self) -> int:
        """Number of layers."""
        return len(self.instance.layers)

    @property
    def num_options(self) -> int:
        """Number of options of all layers, and of slices of weights."""
        return int(self.first[-1])

    @property
    def num_slices(self) -> int:
        """Number of slices, biases included."""
        return self.num_options + self.num_layers

    @cached_property
    def first(self) -> Array:
        """First option of every layer, and behind the last one."""
        return np.cumsum([0, *(len(layer.options) for layer in self.instance.layers)]).astype(np.int32)

    @cached_property
    def layer(self) -> Array:
        """Layer of every slice."""
        each = np.arange(self.num_layers)
        return np.concatenate([np.repeat(each, np.diff(self.first)), each])

    @cached_property
    def option_bytes(self) -> Array:
        """Memory of every option."""
        return np.array([o.memory_bytes for layer in self.instance.layers for o in layer.options], np.int64)

    @cached_property
    def option_flops(self) -> Array:
        """FLOPs of every option's gradient, per sample."""
        return np.array([o.weight_gradient_flops for layer in self.instance.layers for o in layer.options])

    @cached_property
    def reach_bytes(self) -> Array:
        """Base and biases of every depth."""
        biases = [layer.bias_bytes for layer in reversed(self.instance.layers)]
        return np.cumsum([self.instance.base_bytes, *biases]).astype(np.int64)

    @cached_property
    def reach_flops(self) -> Array:
        """Forward pass and input gradients of every depth, per sample."""
        layers = self.instance.layers
        behind = [0.0, 0.0, *(layer.input_gradient_flops for layer in reversed(layers[1:]))]
        return sum(layer.forward_flops for layer in layers) + np.cumsum(behind)

    @cached_property
    def slice_bytes(self) -> Array:
        """Bytes of every slice on its way."""
        of_weights = [
            after - before
            for layer in self.instance.layers
            for before, after in pairwise([0, *(option.parameters for option in layer.options)])
        ]
        of_biases = [layer.bias_parameters for layer in self.instance.layers]
        return float(self.instance.training.gradient_bytes) * np.array([*of_weights, *of_biases], float)

    @cached_property
    def memory_bytes(self) -> Array:
        """Memory of every class's devices."""
        return np.array([self.instance.devices[own[0]].memory_bytes for own in self.members], np.int64)

    @cached_property
    def flops(self) -> Array:
        """FLOPs per sample within the step limit of every class; infinite without one."""  # (2)
        found = []
        for own in self.members:
            device = self.instance.devices[own[0]]
            limit_s = np.inf if device.max_step_s is None else device.max_step_s
            allowed_s = limit_s + _TOLERANCE * max(1.0, limit_s)
            found.append(allowed_s * device.flops_per_s / self.instance.training.batch_size)
        return np.array(found)

    @cached_property
    def gain(self) -> Array:
        """What every class's devices bring with every option, by the objective."""
        contribution = [option.contribution for layer in self.instance.layers for option in layer.options]
        return np.outer(self._weight, contribution)

    @cached_property
    def depth_gain(self) -> Array:
        """What every class's devices bring with every depth alone; minus infinity where not allowed."""
        alone = np.array([np.nan if a is None else a for a in self.instance.depth_contribution])
        gain = np.outer(self._weight, alone)
        for c, least in enumerate(self._least_depth):
            gain[c, :least] = np.nan
        return np.where(np.isnan(gain), -np.inf, gain)

    @property
    def _weight(self) -> Array:
        weights = np.array([self.instance.devices[own[0]].weight for own in self.members])
        return self.instance.objective.contribution * weights

    @cached_property
    def _pins(self) -> tuple[dict[int, int], ...]:
        """Pinned option of layers, -1 for none, of every class."""
        instance, index = self.instance, self.instance.device_index
        of_device: list[dict[int, int]] = [{} for _ in instance.devices]
        for name, layer in instance.forbid:
            of_device[index[name]][instance.layer_index[layer]] = -1
        for name, layer, ratio in instance.pin:
            place, pins = instance.layer_index[layer], of_device[index[name]]
            pinned = self._option_index(place, ratio) if ratio else -1
            pins[place] = IMPOSSIBLE if pinned >= 0 and place in pins else pinned
        return tuple(of_device[own[0]] for own in self.members)

    def _option_index(self, layer: int, ratio: float) -> int:
        ratios = [option.ratio for option in self.instance.layers[layer].options]
        return int(self.first[layer]) + ratios.index(ratio)

    @cached_property
    def _least_depth(self) -> list[int]:
        """Depth from which every class reaches all that is pinned to it."""
        reached = [
            [self.num_layers - layer for layer, option in pins.items() if option != -1] for pins in self._pins
        ]
        return [max(depths, default=0) for depths in reached]

    @cached_property
    def allowed(self) -> Array:
        """Whether every class may choose every option."""
        allowed = np.ones((self.num_classes, self.num_options), np.uint8)
        for c, pins in enumerate(self._pins):
            for layer, option in pins.items():
                allowed[c, self.first[layer] : self.first[layer + 1]] = 0
                if option >= 0:
                    allowed[c, option] = 1
        return allowed

    @cached_property
    def may_skip(self) -> Array:
        """Whether every class may leave the weights of every layer alone."""
        skip = np.ones((self.num_classes, self.num_layers), np.uint8)
        for c, pins in enumerate(self._pins):
            for layer, option in pins.items():
                skip[c, layer] = option == -1
        return skip

    @cached_property
    def coverage(self) -> Array:
        """Fewest devices that update every layer."""
        cover = self.instance.coverage
        return np.array([cover.layers.get(layer.name, cover.default) for layer in self.instance.layers])

    @cached_property
    def covered(self) -> Array:
        """The first slice of every layer that has options: whoever updates a layer updates it."""
        first = self.first
        return np.asarray(first[:-1][np.diff(first) > 0])

    def choices_of(self, updated: Array) -> Choices:
        """Return the choices by which classes (rows) update these slices (columns)."""
        depth = updated[:, self.num_options :].sum(axis=1).astype(np.int32)
        option = np.full((self.num_classes, self.num_layers), -1, np.int32)
        for layer, (first, end) in enumerate(pairwise(self.first)):
            taken = updated[:, first:end].sum(axis=1)
            option[:, layer] = np.where(taken > 0, first + taken - 1, -1)
        return Choices(depth, option)

    def updated(self, choices: Choices) -> Array:
        """Whether every class updates every slice."""  # (5)
        option, layer = choices.option, self.layer[: self.num_options]
        weights = np.arange(self.num_options) <= option[:, layer]
        weights &= option[:, layer] >= 0
        biases = np.arange(self.num_layers) >= self.num_layers - choices.depth[:, None]
        return np.concatenate([weights, biases], axis=1)

    def brought(self, choices: Choices) -> Array:
        """What one device of every class brings."""
        option = choices.option
        gain = np.zeros(option.shape)
        if self.num_options:
            gain = np.where(option >= 0, np.take_along_axis(self.gain, np.maximum(option, 0), axis=1), 0.0)
        return np.asarray(self.depth_gain[np.arange(self.num_classes), choices.depth] + gain.sum(axis=1))

    def keeps_limits(self, choices: Choices) -> Array:
        """Whether every class keeps its own limits."""  # (1), (2)
        each, option = np.arange(self.num_classes), choices.option
        reached = np.arange(self.num_layers) >= self.num_layers - choices.depth[:, None]
        index = np.maximum(option, 0)
        if not self.num_options:
            chosen_bytes, chosen_flops, fits = np.zeros((3, self.num_classes))
        else:
            chosen_bytes = np.where(option >= 0, self.option_bytes[index], 0).sum(axis=1)
            chosen_flops = np.where(option >= 0, self.option_flops[index], 0.0).sum(axis=1)
            fits = np.take_along_axis(self.allowed, index, axis=1)
        kept = np.where(option >= 0, reached & (fits > 0), ~reached | (self.may_skip > 0)).all(axis=1)
        kept &= np.isfinite(self.depth_gain[each, choices.depth])
        kept &= self.reach_bytes[choices.depth] + chosen_bytes <= self.memory_bytes
        return np.asarray(kept & (self.reach_flops[choices.depth] + chosen_flops <= self.flops))

    def plan(self, choices: Choices) -> SparsePlan:
        """Write choices as a plan with canonical collectives."""
        devices: dict[int, DevicePlan] = {}
        layers = self.instance.layers
        for c, own in enumerate(self.members):
            chosen = [
                Update(layer=layer.name, ratio=layer.options[option - before].ratio)
                for layer, before, option in zip(layers, self.first[:-1], choices.option[c], strict=True)
                if option >= 0
            ]
            for d in own:
                name = self.instance.devices[d].id
                devices[d] = DevicePlan(id=name, depth=int(choices.depth[c]), updates=tuple(chosen))
        return SparsePlan(devices=tuple(devices[d] for d in range(len(devices))))

    def choices(self, plan: SparsePlan) -> Choices:
        """Read a plan; of a class its first device speaks for all."""
        given = {device.id: device for device in plan.devices}
        depth = np.zeros(self.num_classes, np.int32)
        option = np.full((self.num_classes, self.num_layers), -1, np.int32)
        for c, own in enumerate(self.members):
            entry = given[self.instance.devices[own[0]].id]
            depth[c] = entry.depth
            for update in entry.updates:
                layer = self.instance.layer_index[update.layer]
                option[c, layer] = self._option_index(layer, update.ratio)
        return Choices(depth, option)


IMPOSSIBLE = -2
"""Stands for an option that is pinned and forbidden."""


def _classes(instance: SparseUpdateInstance) -> tuple[tuple[int, ...], ...]:
    """Devices with equal figures, pins and forbidden layers; on a general network each is alone."""
    if isinstance(instance.network, Network):
        return tuple((d,) for d in range(len(instance.devices)))
    pins: dict[str, list[tuple[str, float]]] = {}
    for name, layer, ratio in instance.pin:
        pins.setdefault(name, []).append((layer, ratio))
    for name, layer in instance.forbid:
        pins.setdefault(name, []).append((layer, -1.0))
    alike: dict[object, list[int]] = {}
    for d, device in enumerate(instance.devices):
        figures = device.memory_bytes, device.flops_per_s, device.weight, device.max_step_s
        alike.setdefault((figures, tuple(sorted(pins.get(device.id, [])))), []).append(d)
    by_memory = sorted(alike.values(), key=lambda own: instance.devices[own[0]].memory_bytes)
    return tuple(tuple(own) for own in by_memory)
