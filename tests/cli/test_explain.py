"""explain: tables for people, JSON for others, and the exit code of what is known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import Called, CommandLine, write
from small_instances import document, node, plan

from edgeplan.models.explanation import Explanation

TIGHT = document(nodes=[node(name, memory_bytes=240) for name in "pqr"])
BEST = plan("p:a", "q:b", "r:c")


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    return write(tmp_path / "instance.json", TIGHT | {"limits": {"max_nodes": 3}})


@pytest.fixture
def infeasible(tmp_path: Path) -> Path:
    return write(tmp_path / "infeasible.json", TIGHT | {"limits": {"max_nodes": 2}})


def explain(edgeplan: CommandLine, *arguments: str | Path) -> Called:
    return edgeplan("explain", *arguments, "--solver", "brute-force")


def test_the_answer_comes_first_then_what_to_buy_what_binds_and_what_is_left(
    edgeplan: CommandLine, instance: Path
) -> None:
    called = explain(edgeplan, instance)
    lines = called.out.splitlines()
    assert (called.code, called.err) == (0, "")
    assert lines[0] == "instance: optimal, objective 15 s"
    assert lines[1].startswith("1 GiB more memory on ")
    assert lines[1].endswith("15 s to 8 s, saves 7 s (47 %)")
    titles = [line.rstrip() for line in lines if line.startswith(("What", "Nodes", "Links", "Proven"))]
    assert titles[0] == "What to buy"
    assert titles[1].startswith("Proven to buy nothing: ")
    assert titles[2:4] == ["What binds", "Nodes, in stage order; p computes longest"]
    assert titles[4].startswith("Links; ")
    assert "  3 nodes used, at most 3 allowed: no slack" in lines
    assert "  memory, no room for another layer: p, q, r" in lines


def test_a_result_is_explained_as_it_is(edgeplan: CommandLine, instance: Path, tmp_path: Path) -> None:
    made = write(tmp_path / "result.json", {"plan": BEST.to_document()})
    called = explain(edgeplan, instance, made, "--json")
    explanation = Explanation.model_validate(json.loads(called.out))
    assert (called.code, explanation.plan) == (0, BEST.to_document())


def test_json_goes_to_a_file_beside_the_tables(edgeplan: CommandLine, instance: Path, tmp_path: Path) -> None:
    called = explain(edgeplan, instance, "-o", tmp_path / "explanation.json")
    written = json.loads((tmp_path / "explanation.json").read_text())
    assert Explanation.model_validate(written).status == "optimal"
    assert "What to buy" in called.out


def test_a_dash_as_output_is_json_alone(edgeplan: CommandLine, instance: Path) -> None:
    called = explain(edgeplan, instance, "-o", "-")
    assert json.loads(called.out)["status"] == "optimal"


def test_an_infeasible_instance_ends_with_3_and_says_what_mends_it(
    edgeplan: CommandLine, infeasible: Path
) -> None:
    called = edgeplan("explain", infeasible)
    assert called.code == 3
    assert "smallest single change: at most 2 nodes: with 3 there is a plan" in called.out
    assert "Cannot hold together (checked by solving)" in called.out


def test_arithmetic_that_settles_it_is_shown(edgeplan: CommandLine, tmp_path: Path) -> None:
    small = document(nodes=[node("p", memory_bytes=239)])
    called = explain(edgeplan, write(tmp_path / "i.json", small))
    assert called.code == 3
    assert "layer a alone needs 240 bytes; the largest node that may own it, p, has 239 bytes" in called.out


def test_a_plan_that_breaks_rules_ends_with_6_and_names_them(
    edgeplan: CommandLine, instance: Path, tmp_path: Path
) -> None:
    made = write(tmp_path / "result.json", {"plan": plan("p:ab", "q:c").to_document()})
    called = explain(edgeplan, instance, made)
    assert called.code == 6
    assert "/network/nodes/0/memory_bytes: node p needs 360 bytes" in called.out


def test_without_an_answer_it_ends_with_5(edgeplan: CommandLine, tmp_path: Path) -> None:
    # one fast node that holds one layer: no chain bound can know that it serves but once
    nodes = [
        node(name, memory_bytes=240, flops_per_s=speed) for name, speed in zip("pqr", (10, 1, 1), strict=True)
    ]
    hopeful = document(nodes=nodes, limits={"deadline_s": 9.0})
    called = edgeplan(
        "explain", write(tmp_path / "i.json", hopeful), "--solver", "heuristic", "--time-limit", "3"
    )
    assert called.code == 5
    assert "with 9.6 s there is a plan" in called.out


def test_names_that_look_like_markup_are_printed_as_they_are(edgeplan: CommandLine, tmp_path: Path) -> None:
    odd = document(nodes=[node("[red]", memory_bytes=480), node("[/]", memory_bytes=480)]) | {
        "name": "[bold]"
    }
    called = explain(edgeplan, write(tmp_path / "i.json", odd))
    assert called.code == 0
    assert called.out.startswith("[bold]: optimal")
    assert "[red]" in called.out


@pytest.mark.parametrize(("option", "value"), [("--time-limit", "0"), ("--seed", "-1"), ("--workers", "0")])
def test_options_out_of_range_are_refused(
    edgeplan: CommandLine, instance: Path, option: str, value: str
) -> None:
    assert explain(edgeplan, instance, option, value).code == 2
