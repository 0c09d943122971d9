"""The peak of a step over its moments."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edgeplan.models.step_memory import LayerMemory, StepPeak, step_peak

BYTES = st.integers(0, 1000)
LAYERS = st.lists(st.builds(LayerMemory, BYTES, BYTES, BYTES, BYTES), min_size=1, max_size=5)


def test_saved_tensors_gather_on_the_way_forward() -> None:
    layers = [LayerMemory(100, forward_bytes=5), LayerMemory(20, forward_bytes=7)]
    assert step_peak(layers, held_bytes=1000) == StepPeak(1127, "forward", 1)


def test_a_large_output_counts_before_anything_is_saved_behind_it() -> None:
    layers = [LayerMemory(forward_bytes=500), LayerMemory(20, forward_bytes=7)]
    assert step_peak(layers, held_bytes=0) == StepPeak(500, "forward", 0)


def test_gradients_come_while_saved_tensors_go() -> None:
    layers = [LayerMemory(10, 1000), LayerMemory(100, 5), LayerMemory(100, 5)]
    # after all three layers: 210 saved and 5 of gradients; at the first: 10 saved and 1010 of gradients
    assert step_peak(layers, held_bytes=0) == StepPeak(1020, "backward", 0)


def test_the_loss_meets_all_that_is_saved_and_no_gradient() -> None:
    assert step_peak([LayerMemory(100, 5)], held_bytes=1, loss_bytes=30) == StepPeak(131, "loss")


def test_the_update_meets_all_gradients_and_nothing_saved() -> None:
    layers = [LayerMemory(100, 50), LayerMemory(100, 60)]
    assert step_peak(layers, held_bytes=1, update_bytes=200) == StepPeak(311, "update")


@given(LAYERS, BYTES, BYTES, BYTES)
def test_the_peak_lies_between_what_is_held_and_the_sum_of_everything(
    layers: list[LayerMemory], held: int, loss: int, update: int
) -> None:
    peak = step_peak(layers, held_bytes=held, loss_bytes=loss, update_bytes=update).num_bytes
    kept = sum(layer.saved_bytes + layer.gradient_bytes for layer in layers)
    for_a_while = [loss, update, *(max(layer.forward_bytes, layer.backward_bytes) for layer in layers)]
    assert held <= peak <= held + kept + max(for_a_while)
    assert peak >= held + sum(layer.saved_bytes for layer in layers)
    assert peak >= held + sum(layer.gradient_bytes for layer in layers)


@given(LAYERS, BYTES, BYTES)
def test_what_other_micro_batches_hold_only_adds(layers: list[LayerMemory], held: int, others: int) -> None:
    alone, among = (step_peak(layers, held_bytes=amount) for amount in (held, held + others))
    assert (among.num_bytes, among.layer) == (alone.num_bytes + others, alone.layer)
