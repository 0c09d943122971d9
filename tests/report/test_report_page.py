"""The page as a whole: what it shows for which files, and that it stands alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from page_reader import NASTY, Reader
from report_documents import TWO_STAGES, even_plan, infeasible, larger, result, run, small, write

import edgeplan
from edgeplan.report import render_report, write_report

INSTANCES = Path(__file__).parents[2] / "instances" / "layer_assignment"


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> str:
    problem = larger()
    plan = even_plan(problem, 8)
    documents = {
        "instance": problem.to_document(),
        "result": result(problem, plan),
        "run": run(problem, plan),
    }
    return render_report(write(tmp_path_factory.mktemp("full"), **documents))


def page_of_two(folder: Path, **documents: dict[str, object]) -> str:
    return render_report(write(folder, **documents))


def test_the_full_page_shows_plan_memory_run_network_and_model(full: str) -> None:
    text = Reader(full).text
    for heading in ("Plan", "Memory", "Predicted and measured", "Network", "Model"):
        assert f"<h2>{heading}</h2>" in full
    for title in (
        "The round as a Gantt chart",
        "How the search went",
        "Memory against budget",
        "The round as planned and as measured",
        "Bytes of every stage, to the byte",
        "Time of every round",
        "Loss and accuracy",
        "Snake against FedAvg: accuracy",
        "The round as a route",
        "Nodes by speed and memory",
        "Parameters and FLOPs by layer",
    ):
        assert title in text
    assert "Checked against the instance: every rule and limit holds." in text


def test_the_head_names_status_objective_bound_gap_solver_and_hash(full: str) -> None:
    head = Reader(full[: full.index("<main>")]).text
    expected = (
        "feasible",
        "stopped by time limit",
        "gap 4 %",
        "cp-sat 9.15",
        "seed 0",
        "27.8 min",
        "29.5 min",
    )
    for text in (*expected, larger().instance_sha256, "91.5 %", "0.981× FedAvg"):
        assert text in head


def test_every_figure_has_a_text_for_those_who_cannot_see_it(full: str) -> None:
    figures = re.findall(r"<svg [^>]*>", full)
    assert len(figures) == 10
    assert all('role="img"' in figure and re.search('aria-label="[^"]{20,}"', figure) for figure in figures)


def test_the_page_loads_nothing_from_elsewhere(full: str) -> None:
    assert "http:" not in full
    assert "https:" not in full
    assert "@import" not in full
    reader = Reader(full)
    assert not {"script", "link", "img", "iframe"} & set(reader.tags)
    assert all(link.startswith("#") for link in reader.links)
    assert set(re.findall(r"url\((.)", full)) == {"#"}


def test_ids_are_unique_and_every_reference_has_its_target(full: str) -> None:
    reader = Reader(full)
    assert len(reader.ids) == len(set(reader.ids))
    used = {link[1:] for link in reader.links} | set(re.findall(r"url\(#([^)]+)\)", full))
    assert used <= set(reader.ids)


def test_the_same_files_give_the_same_page(tmp_path: Path) -> None:
    problem = small()
    plan = problem.plan_from_document({"stages": TWO_STAGES})
    paths = write(tmp_path, instance=problem.to_document(), result=result(problem, plan))
    assert render_report(paths) == render_report(paths)


def test_figures_take_their_ink_from_the_theme(full: str) -> None:
    assert "prefers-color-scheme: dark" in full
    assert "@media print" in full
    assert "fill: var(--ink)" in full
    assert "#101112" not in full


def test_a_result_alone_shows_gantt_memory_and_costs(tmp_path: Path) -> None:
    problem = small()
    plan = problem.plan_from_document({"stages": TWO_STAGES})
    page = page_of_two(tmp_path, result=result(problem, plan))
    text = Reader(page).text
    for title in ("The round as a Gantt chart", "Memory against budget", "What it costs"):
        assert title in text
    assert "<h2>Network</h2>" not in page
    assert "19.5 KiB of 39.1 KiB" in text


def test_a_pipeline_shows_its_batch_and_its_links_and_is_judged(tmp_path: Path) -> None:
    problem = edgeplan.load(INSTANCES / "tiny-pipeline.json")
    stages = [{"node": "fast", "layers": ["conv"]}, {"node": "slow", "layers": ["head"]}]
    plan = problem.plan_from_document({"stages": stages})
    text = Reader(page_of_two(tmp_path, instance=problem.to_document(), result=result(problem, plan))).text
    for title in (
        "The batch as a Gantt chart",
        "The pipeline as a route",
        "Links of the pipeline, both ways",
    ):
        assert title in text
    assert "every rule and limit holds" in text


def test_an_instance_alone_shows_network_and_model(tmp_path: Path) -> None:
    page = page_of_two(tmp_path, instance=larger().to_document())
    assert "<h2>Network</h2>" in page
    assert "<h2>Model</h2>" in page
    assert "<h2>Plan</h2>" not in page


def test_a_run_alone_lays_its_own_predictions_beside_the_measurement(tmp_path: Path) -> None:
    problem = small()
    plan = problem.plan_from_document({"stages": TWO_STAGES})
    text = Reader(page_of_two(tmp_path, run=run(problem, plan))).text
    assert "Pale bars above are the plan, full bars below the measurement." in text
    assert "digits on emulated devices" in text


def test_an_infeasible_result_shows_the_limits_in_conflict(tmp_path: Path) -> None:
    text = Reader(page_of_two(tmp_path, result=infeasible(small()))).text
    assert "Limits that cannot hold together" in text
    assert "/network/nodes/0/memory_bytes" in text
    assert "node fast needs 20,000 bytes and has 10,000" in text
    assert "It is proven that no plan keeps all limits" in text


def test_names_are_text_and_never_markup(tmp_path: Path) -> None:
    problem = small()
    document = problem.to_document() | {"name": NASTY}
    document["network"]["nodes"][1]["id"] = NASTY
    document["network"]["nodes"][1]["type"] = NASTY
    document["model"]["layers"][0]["name"] = NASTY
    problem = problem.from_document(document)
    plan = even_plan(problem, 2)
    report = run(problem, plan) | {"name": NASTY, "notes": [NASTY], "failures": [NASTY], "passed": False}
    paths = write(tmp_path, instance=document, result=result(problem, plan, detail=NASTY), run=report)
    page = render_report(paths)
    assert "<script" not in page
    assert "script" not in Reader(page).tags
    assert NASTY in Reader(page).text


def test_several_results_and_runs_stand_side_by_side(tmp_path: Path) -> None:
    problem = small()
    plan = problem.plan_from_document({"stages": TWO_STAGES})
    solver = {"name": "other", "version": "1", "seed": 0, "workers": 1, "options": {}}
    documents = {
        "first": result(problem, plan),
        "second": result(problem, plan, solver=solver),
        "run_a": run(problem, plan) | {"name": "run a", "baseline": None},
        "run_b": run(problem, plan) | {"name": "run b", "baseline": None},
    }
    page = page_of_two(tmp_path, **documents)
    reader = Reader(page)
    assert len(reader.ids) == len(set(reader.ids))
    for text in (
        "Results side by side",
        "Plan by cp-sat 9.15",
        "Plan by other 1",
        "Run: run a",
        "Run: run b",
    ):
        assert text in reader.text


def test_a_plan_that_breaks_rules_says_which(tmp_path: Path) -> None:
    problem = small()
    plan = problem.plan_from_document({"stages": [{"node": "fast", "layers": ["conv", "head"]}]})
    paths = write(tmp_path, instance=problem.to_document(), result=result(problem, plan))
    text = Reader(render_report(paths)).text
    assert "plan breaks rules" in text
    assert "Rules that this plan breaks" in text


def test_a_plan_of_other_nodes_is_shown_without_the_network_it_does_not_fit(tmp_path: Path) -> None:
    problem = small()
    plan = problem.plan_from_document({"stages": TWO_STAGES})
    document = result(problem, plan)
    document["plan"]["stages"][0]["node"] = "nobody"
    text = Reader(page_of_two(tmp_path, instance=problem.to_document(), result=document)).text
    assert "the instance has no node nobody" in text
    assert "The round as a route" not in text


def test_a_page_of_many_stages_is_cut_with_a_note(tmp_path: Path) -> None:
    problem = larger(60, 62)
    plan = even_plan(problem, 60)
    document = result(problem, plan)
    document["metrics"]["stages"] *= 7
    page = page_of_two(tmp_path, result=document)
    assert "Shows the first 400 of 420 stages." in page
    assert len(page) < 3_000_000


def test_the_page_replaces_an_earlier_one_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    output = tmp_path / "report.html"
    output.write_text("old", encoding="utf-8")
    paths = write(tmp_path, result=infeasible(small()))
    assert write_report(paths, output) == output
    assert output.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "result.json"]
