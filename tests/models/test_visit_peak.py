"""Equation (12), the predicted peak, beside the limit (4)."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from small_instances import layer, problem

from edgeplan.models.layer_assignment.serial_figures import SerialFigures
from edgeplan.models.layer_assignment.visit_peak import visit_peak
from edgeplan.models.step_memory import StepPeak

TRAINING = {"batch_size": 2, "weight_bytes": 4, "gradient_bytes": 4, "optimizer_bytes": 8}
LAYERS = [
    layer("a", parameters=1, output_bytes=100, saved_bytes=300, saved_frozen_bytes=200),
    layer("b", parameters=10, output_bytes=40, saved_bytes=140, saved_frozen_bytes=70),
    layer("c", parameters=100, output_bytes=10, saved_bytes=50, saved_frozen_bytes=20),
]


def figures(layers: list[dict[str, Any]] = LAYERS, **training: Any) -> SerialFigures:
    return problem(layers, training=TRAINING | training).serial


def test_the_backward_pass_of_a_layer_has_what_is_saved_up_to_it_and_gradients_behind_it() -> None:
    # 12 bytes a parameter held, 4 a gradient of b and c; of 2 samples 440 saved, 40 and 100 of two gradients
    assert visit_peak(figures(), [0, 1, 2]) == StepPeak(12 * 111 + 4 * 110 + 2 * (440 + 140), "backward", 1)


def test_a_frozen_layer_behind_the_first_trained_one_keeps_what_passes_the_gradient_on() -> None:
    # 4 * 101 frozen, 12 * 10 trained; of 2 samples 140 + 20 saved, 10 and 40 of two gradients
    assert visit_peak(figures(), [1]).num_bytes == 4 * 101 + 12 * 10 + 2 * max(140 + 20 + 50, 300)


def test_a_frozen_layer_before_the_first_trained_one_has_its_tensors_at_hand_for_a_while() -> None:
    assert visit_peak(figures(), [2]) == StepPeak(4 * 11 + 12 * 100 + 2 * (200 + 100), "forward", 0)


def test_what_two_layers_save_counts_once_where_it_is_known() -> None:
    whole, once = (visit_peak(figures(), [0, 1, 2], repeated_bytes=again) for again in (None, [0, 20, 10]))
    assert once.num_bytes == whole.num_bytes - 20


def test_the_batch_is_there_all_along_and_the_reserve_is_not_live() -> None:
    alone = visit_peak(figures(reserve_bytes=10**6), [1]).num_bytes
    assert visit_peak(figures(), [1], batch_bytes=64).num_bytes == alone + 64


def test_the_update_of_the_largest_layer_can_be_the_peak() -> None:
    peak = visit_peak(figures(batch_size=1), [1, 2], update_bytes_per_parameter=8)
    assert peak == StepPeak(4 * 1 + 16 * 110 + 8 * 100, "update")


def test_a_visit_that_trains_nothing_has_a_forward_pass_alone() -> None:
    assert visit_peak(figures(), []) == StepPeak(4 * 111 + 2 * 300, "forward", 0)


def test_a_layer_that_reads_nothing_earlier_gets_no_gradient_to_pass_on() -> None:
    layers = [LAYERS[0], LAYERS[1] | {"inputs": ["input"]}, LAYERS[2] | {"inputs": []}]
    read_nothing, chain = (visit_peak(figures(some, batch_size=100), [0, 1, 2]) for some in (layers, LAYERS))
    assert chain.num_bytes - read_nothing.num_bytes == 100 * (100 - 40)


SIZES = st.integers(0, 100)
MODEL = st.lists(st.tuples(SIZES, SIZES, SIZES, SIZES, st.booleans()), min_size=1, max_size=6)
BYTES_EACH = st.sampled_from([0, 0.5, 1, 4, 8])


@given(MODEL, st.integers(1, 5), BYTES_EACH, BYTES_EACH, BYTES_EACH, SIZES)
def test_the_prediction_exceeds_the_limit_only_by_what_the_limit_has_no_place_for(
    model: list[tuple[int, int, int, int, bool]],
    batch_size: int,
    weight: float,
    gradient: float,
    state: float,
    update: int,
) -> None:
    layers = [
        layer(str(k), parameters=p, output_bytes=o, saved_bytes=a, saved_frozen_bytes=a_frozen)
        for k, (p, o, a, a_frozen, _) in enumerate(model)
    ]
    sizes = {"weight_bytes": weight, "gradient_bytes": gradient, "optimizer_bytes": state}
    one = figures(layers, batch_size=batch_size, **sizes)
    trained = [k for k, figure in enumerate(model) if figure[-1]]
    peak = visit_peak(one, trained, batch_bytes=3, update_bytes_per_parameter=update)
    limit = one.memory_bytes(trained) + 3 + len(layers)  # the batch; a byte of rounding a layer
    first = min(trained, default=len(layers))
    beyond = {
        "forward": batch_size * max((model[k][3] for k in range(first)), default=0),
        "loss": batch_size * model[-1][1],
        "backward": 0,
        "update": update * max((model[k][0] for k in trained), default=0),
    }
    assert peak.num_bytes <= limit + beyond[peak.moment]
