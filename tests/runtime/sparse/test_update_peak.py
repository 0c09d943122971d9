"""The predicted peak of an update: within 5 percent of live tensors where modules have a pruned form."""

from __future__ import annotations

from collections.abc import Callable

import pytest

pytest.importorskip("torch")

from pruned_memory import measured_bytes, random_updates, with_other_modules
from pruned_networks import Case, chain, mobilenet

from edgeplan.models.step_memory import StepPeak
from edgeplan.runtime.sparse.arithmetic import saved_bytes
from edgeplan.runtime.sparse.layers import TracedLayer
from edgeplan.runtime.sparse.measured.base_bytes import resident_bytes
from edgeplan.runtime.sparse.measured.costs import LayerCosts, costs_of
from edgeplan.runtime.sparse.measured.update_peak import saved_by_others, update_peak


def predicted(case: Case, depth: int, ratios: dict[str, float], *, momentum: bool) -> StepPeak:
    costs = costs_of(case.module, case.layers, case.batch, momentum=momentum)
    resident = resident_bytes(case.module, case.layers, case.batch)
    own = saved_bytes(case.layers, depth=depth, ratios=ratios)
    others = saved_by_others(case.prune(depth, ratios), case.batch, own)
    return update_peak(costs, resident_bytes=resident, depth=depth, ratios=ratios, others_bytes=others)


def deviations(make: Callable[[], Case], count: int, momentum: float) -> list[float]:
    case = make()
    return [
        measured_bytes(case, depth, ratios, momentum)
        / predicted(case, depth, ratios, momentum=momentum > 0).num_bytes
        - 1
        for depth, ratios in random_updates(case, count)
    ]


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_the_peak_of_mobilenet_is_within_2_percent(momentum: float) -> None:
    assert max(map(abs, deviations(mobilenet, 3, momentum))) < 0.02


# A chain has no input that waits for a sum, and a few kilobytes beside its activations.
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_the_peak_of_a_small_chain_is_predicted_from_above(momentum: float) -> None:
    off = deviations(chain, 12, momentum)
    assert min(off) > -0.16
    assert max(off) < 0.04


def test_what_modules_without_a_pruned_form_keep_is_in_the_prediction() -> None:
    off = deviations(with_other_modules, 12, 0.9)
    assert min(off) > -0.18
    assert max(off) <= 0.01


def layer(name: str, **figures: int) -> LayerCosts:
    traced = TracedLayer(name, in_channels=4, channel_parameters=5, bias_parameters=2, **figures)
    return LayerCosts(traced, forward_flops=1, element_bytes=4, momentum_bytes=4)


COSTS = [
    layer("front", channel_bytes=10, output_bytes=100, mask_bytes=3),
    layer("back", channel_bytes=25, output_bytes=8),
]


def test_a_layer_that_is_not_reached_runs_forward_alone() -> None:
    # of "back" the input of 100, the output of 8, and once more the larger
    assert update_peak(COSTS, resident_bytes=1000, depth=0, ratios={}) == StepPeak(1208, "forward", 1)


def test_gradients_behind_a_layer_meet_what_it_keeps_and_its_masks_unpacked() -> None:
    # momentum 2 biases; weights of "back": copy and momentum of 20; at "front": its mask kept and unpacked,
    # gradients of 20 weights and 2 biases, and two tensors as large as its output
    peak = update_peak(COSTS, resident_bytes=1000, depth=2, ratios={"back": 1.0})
    held = 1000 + 2 * 8 + 20 * 8
    assert peak == StepPeak(held + 3 + 20 * 4 + 2 * 8 + 2 * 100 + 3 * 8, "backward", 0)
