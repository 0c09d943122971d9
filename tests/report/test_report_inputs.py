"""Files that do not fit: one clear line each."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from report_documents import TWO_STAGES, infeasible, larger, result, run, small, write

from edgeplan import extras
from edgeplan.errors import InvalidInputError, MissingExtraError, UsageError
from edgeplan.report import render_report, write_report
from edgeplan.report.inputs import read_inputs


def test_a_file_of_another_instance_is_refused_in_one_line(tmp_path: Path) -> None:
    paths = write(tmp_path, instance=larger().to_document(), result=infeasible(small()))
    with pytest.raises(UsageError, match=r"result\.json: belongs to instance .* which is not among"):
        read_inputs(paths)


def test_two_instances_with_their_files_make_two_chapters_without_shared_ids(tmp_path: Path) -> None:
    one, two = larger().to_document(), small().to_document()
    page = render_report(write(tmp_path, one=one, two=two, result=infeasible(small())))
    assert page.count("<h1>") == 2
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_two_instances_of_the_same_content_belong_together(tmp_path: Path) -> None:
    document = small().to_document()
    (inputs,) = read_inputs(write(tmp_path, one=document, two=document | {"x-note": "mine"}))
    assert inputs.instance_sha256 == small().instance_sha256


@pytest.mark.parametrize("document", [{}, {"plan": {}}, {"kind": "bundle"}, {"model": {}}])
def test_a_document_of_no_known_kind_is_refused(tmp_path: Path, document: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r'other\.json: is no instance .* no result .*"kind": "run"'):
        read_inputs(write(tmp_path, other=document))


def test_an_array_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text("[1]", encoding="utf-8")
    with pytest.raises(UsageError, match=r"list\.json: is no instance"):
        read_inputs([tmp_path / "list.json"])


def test_no_file_is_refused() -> None:
    with pytest.raises(UsageError, match="no file to report"):
        read_inputs([])


def test_a_faulty_instance_names_its_faults(tmp_path: Path) -> None:
    document = small().to_document() | {"schedule": "sideways"}
    with pytest.raises(InvalidInputError, match="/schedule"):
        read_inputs(write(tmp_path, instance=document))


def test_a_faulty_result_names_its_faults(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"/runtime_s: .* \[.*result.json\]"):
        read_inputs(write(tmp_path, result=infeasible(small()) | {"runtime_s": "soon"}))


def test_nan_in_a_result_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text('{"status": "feasible", "objective": NaN}', encoding="utf-8")
    with pytest.raises(InvalidInputError, match="/objective"):
        read_inputs([path])


def test_faulty_metrics_name_their_faults(tmp_path: Path) -> None:
    problem = small()
    document = result(problem, problem.plan_from_document({"stages": TWO_STAGES}))
    document["metrics"]["stages"][0]["memory_bytes"] = "much"
    with pytest.raises(InvalidInputError, match=r"/stages/0/memory_bytes.*metrics of the result"):
        render_report(write(tmp_path, result=document))


def test_a_faulty_run_report_names_its_faults(tmp_path: Path) -> None:
    problem = small()
    document = run(problem, problem.plan_from_document({"stages": TWO_STAGES}))
    document["rounds"][0]["loss"] = "low"
    with pytest.raises(InvalidInputError, match="/rounds/0/loss"):
        read_inputs(write(tmp_path, run=document))


def test_a_run_report_may_lack_what_is_optional_and_have_more(tmp_path: Path) -> None:
    document = {"format": "edgeplan/1", "kind": "run", "instance_sha256": "ab", "hops": [1]}
    page = render_report(write(tmp_path, run=document))
    assert "0 rounds over 0 stages" in page


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nothing\.json: cannot be read"):
        read_inputs([tmp_path / "nothing.json"])


def test_an_output_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    paths = write(tmp_path, result=infeasible(small()))
    with pytest.raises(UsageError, match="cannot be written"):
        write_report(paths, tmp_path / "no" / "report.html")


@pytest.mark.parametrize("module", ["matplotlib", "jinja2"])
def test_a_missing_library_names_its_extra(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    monkeypatch.setattr(extras, "is_installed", lambda name: name != module)
    with pytest.raises(MissingExtraError, match=rf"edgeplan report needs {module}.*edgeplan\[report\]"):
        render_report([])


def test_importing_the_package_loads_neither_library() -> None:
    code = "import sys, edgeplan.report; print(sorted({'matplotlib', 'jinja2'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
