"""simulate: tables, documents, pictures, and refusals in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import CommandLine, in_a_process, write
from small_instances import document, plan

from edgeplan.models.simulated import Simulation

NOISY = ("--rounds", "60", "--jitter", "20%", "--churn", "9/2")


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    return write(tmp_path / "instance.json", document(limits={"deadline_s": 40.0}))


@pytest.fixture
def result(tmp_path: Path) -> Path:
    return write(tmp_path / "result.json", {"plan": plan("p:a", "q:bc").to_document()})


def test_people_read_percentiles_causes_and_the_deadline(
    edgeplan: CommandLine, instance: Path, result: Path
) -> None:
    called = edgeplan("simulate", instance, result, *NOISY)
    assert (called.code, called.out) == (0, "")
    for told in ("60 rounds, seed 0", "99 %", "waiting", "lost work", "missed by", "policy wait", "note: "):
        assert told in called.err


def test_the_document_goes_to_a_file_or_to_standard_output(
    edgeplan: CommandLine, instance: Path, result: Path, tmp_path: Path
) -> None:
    called = edgeplan("simulate", instance, result, *NOISY, "-o", tmp_path / "simulation.json", "--json")
    printed = json.loads(called.out)
    assert printed == json.loads((tmp_path / "simulation.json").read_text())
    simulation = Simulation.model_validate_json(called.out)
    assert (simulation.kind, simulation.settings.rounds, simulation.deadline_s) == ("simulation", 60, 40.0)


def test_standard_output_holds_one_document(edgeplan: CommandLine, instance: Path, result: Path) -> None:
    called = edgeplan("simulate", instance, result, *NOISY, "-o", "-", "--json")
    assert json.loads(called.out)["kind"] == "simulation"


@pytest.mark.parametrize("form", ["svg", "png"])
def test_the_picture_is_drawn(
    edgeplan: CommandLine, instance: Path, result: Path, tmp_path: Path, form: str
) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / f"rounds.{form}"
    assert edgeplan("simulate", instance, result, *NOISY, "--figure", picture).code == 0
    assert picture.read_bytes()[:5] == (b"<?xml" if form == "svg" else b"\x89PNG\r")
    if form == "svg":
        text = picture.read_text()
        assert all(told in text for told in ("predicted", "deadline", "60 simulated rounds"))


def test_a_page_shows_the_simulation(
    edgeplan: CommandLine, instance: Path, result: Path, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    pytest.importorskip("jinja2")
    output, page = tmp_path / "simulation.json", tmp_path / "page.html"
    edgeplan("simulate", instance, result, *NOISY, "-o", output)
    assert edgeplan("report", instance, output, "-o", page).code == 0
    text = page.read_text()
    assert "Simulated rounds" in text
    assert "60 rounds, each by itself" in text


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--rounds", "0"), "--rounds 0: must be from 1 to"),
        (("--jitter", "much"), "--jitter much: must be a share"),
        (("--churn", "3600"), "--churn 3600: must be two numbers"),
        (("--absent", "skip"), "--absent skip: nobody is away without --churn"),
        (("--figure", "rounds.gif"), "--figure rounds.gif: must end in .svg or .png"),
        (("--figure", "missing/rounds.svg"), "missing/rounds.svg: cannot be written"),
        (("-o", "missing/simulation.json"), "missing/simulation.json: cannot be written"),
    ],
)
def test_faulty_options_are_refused_in_a_line_and_nothing_is_written(
    edgeplan: CommandLine, instance: Path, result: Path, tmp_path: Path, options: tuple[str, ...], told: str
) -> None:
    before = sorted(tmp_path.iterdir())
    called = edgeplan("simulate", instance, result, *options)
    assert (called.code, called.out, len(called.lines)) == (2, "", 1)
    assert called.err.startswith(told)
    assert sorted(tmp_path.iterdir()) == before


def test_a_plan_that_breaks_a_rule_is_refused(edgeplan: CommandLine, result: Path, tmp_path: Path) -> None:
    late = write(tmp_path / "late.json", document(limits={"deadline_s": 1e-3}))
    called = edgeplan("simulate", late, result)
    assert (called.code, len(called.lines)) == (2, 1)
    assert called.err.startswith("/limits/deadline_s: ")


def test_processes_with_other_hashes_draw_the_same(tmp_path: Path) -> None:
    given = document(schedule="pipeline", micro_batches=1)
    instance = write(tmp_path / "instance.json", given)
    result = write(tmp_path / "result.json", {"plan": plan("p:a", "q:b", "r:c").to_document()})
    ends = [in_a_process("simulate", instance, result, *NOISY, "--json").stdout for _ in range(2)]
    first, second = (json.loads(end) for end in ends)
    assert first["quantiles_s"] == second["quantiles_s"]
