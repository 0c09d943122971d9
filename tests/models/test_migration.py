"""Bytes that move from an old plan to a new one, by hand."""

from __future__ import annotations

from typing import Any

import pytest
from small_instances import document, layer, plan, problem

from edgeplan.models.layer_assignment.migration import migration
from edgeplan.models.replanned import Migration

STATE = 10 * (4 + 8)  # ten parameters, their weights and their optimizer state
WEIGHTS = 10 * 4
PIPELINE = {"schedule": "pipeline"}


def sources(found: Migration) -> tuple[int, int, int]:
    assert found.moved_bytes == sum(
        (found.from_owner_bytes, found.from_others_bytes, found.from_checkpoint_bytes)
    )
    return found.from_owner_bytes, found.from_others_bytes, found.from_checkpoint_bytes


def test_the_same_plan_moves_nothing() -> None:
    same = plan("p:a", "q:bc")
    found = migration(problem(), same, same)
    assert (found.moved_bytes, found.layers_moved, found.stages_changed) == (0, 0, 0)
    assert (found.kept, found.left, found.joined, found.released) == (("p", "q"), (), (), ())


def test_a_layer_with_a_new_owner_comes_from_the_old_one_with_its_optimizer_state() -> None:
    found = migration(problem(), plan("p:ab", "q:c"), plan("p:a", "q:bc"))
    assert sources(found) == (STATE, 0, 0)
    assert (found.layers_moved, found.stages_changed) == (1, 2)


def test_the_order_of_visits_moves_nothing_by_itself() -> None:
    found = migration(problem(), plan("p:a", "q:b", "r:c"), plan("p:a", "r:b", "q:c"))
    assert sources(found) == (2 * STATE, 0, 0)
    assert found.kept == ("p", "r", "q")


def test_weights_of_a_node_that_left_come_from_others_its_optimizer_state_from_a_checkpoint() -> None:
    found = migration(problem(nodes="pq"), plan("p:a", "q:b", "r:c"), plan("p:a", "q:bc"))
    assert sources(found) == (0, WEIGHTS, STATE - WEIGHTS)
    assert (found.left, found.kept) == (("r",), ("p", "q"))


def test_the_server_has_the_weights_where_every_old_node_left() -> None:
    through_server: dict[str, Any] = {"transport": "server", "server": "s"}
    kept = migration(problem(nodes="ps", **through_server), plan("q:abc"), plan("p:abc"))
    assert sources(kept) == (0, 3 * WEIGHTS, 3 * (STATE - WEIGHTS))
    lost = migration(problem(nodes="p"), plan("q:abc"), plan("p:abc"))
    assert sources(lost) == (0, 0, 3 * STATE)


def test_a_pipeline_stage_that_left_is_on_no_other_node() -> None:
    found = migration(problem(nodes="pq", **PIPELINE), plan("p:a", "q:b", "r:c"), plan("p:a", "q:bc"))
    assert sources(found) == (0, 0, STATE)


def test_inference_moves_weights_alone() -> None:
    training = document()["training"] | {"pass": "inference"}
    instance = problem(training=training, **PIPELINE)
    assert sources(migration(instance, plan("p:abc"), plan("p:a", "q:bc"))) == (2 * WEIGHTS, 0, 0)


def test_a_layer_that_is_new_to_the_model_comes_from_outside() -> None:
    found = migration(problem(), plan("p:a", "q:b"), plan("p:a", "q:bc"))
    assert sources(found) == (0, 0, STATE)


def test_half_bytes_are_counted_as_written_and_rounded_up_layer_by_layer() -> None:
    training = document()["training"] | {"weight_bytes": 0.1, "optimizer_bytes": 0.2}
    layers = [layer(name, parameters=11) for name in "abc"]
    instance = problem(layers, training=training)  # 11 * 0.3 = 3.3, so 4 bytes a layer
    assert migration(instance, plan("p:abc"), plan("q:abc")).moved_bytes == 12


@pytest.mark.parametrize("shared", [["a"], ["a", "c"]])
def test_shared_layers_have_no_owner_and_do_not_move(shared: list[str]) -> None:
    own = "".join(name for name in "abc" if name not in shared)
    found = migration(problem(shared_layers=shared), plan(f"p:{own}"), plan(f"q:{own}"))
    assert found.layers_moved == len(own)


def test_nodes_are_told_apart_by_what_they_did_and_do() -> None:
    found = migration(problem(nodes="pqs"), plan("r:a", "p:b", "q:c"), plan("s:a", "q:bc"))
    assert (found.left, found.released, found.joined, found.kept) == (("r",), ("p",), ("s",), ("q",))
