"""The mixed clusters are real profiles on real devices, the same at every call."""

from __future__ import annotations

from benchmarks.mixed_clusters import serial_problem, training_problem
from benchmarks.rivals import memory_split


def test_bert_is_assigned_layer_by_layer_and_has_a_plan() -> None:
    problem = serial_problem("bert-base", 4, "peer")
    assert len(problem.figures.own) == 12
    assert memory_split.plan(problem) is not None


def test_a_server_is_one_node_more() -> None:
    problem = serial_problem("bert-base", 4, "server")
    assert [node.id for node in problem.instance.network.nodes][4:] == ["server"]


def test_the_same_arguments_give_the_same_instance() -> None:
    assert training_problem("bert-base", 8).document == training_problem("bert-base", 8).document
