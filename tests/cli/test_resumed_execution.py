from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgeplan.errors import UsageError
from edgeplan.execution import resumed_execution
from edgeplan.runtime.processes.records import job_path, report_path, write_json


@pytest.mark.parametrize(
    ("member", "executor"),
    [
        ("legs", "snake"),
        ("endings", "federated"),
        ("course", "sparse.execution"),
        ("slots_by", "pipeline"),
        ("batches_by", "pipeline.batches"),
    ],
)
def test_a_job_says_by_which_executor_its_run_goes_on(tmp_path: Path, member: str, executor: str) -> None:
    write_json(job_path(tmp_path), {member: 0})
    execution = resumed_execution(tmp_path)
    assert (execution.executor, execution.given) == (executor, (tmp_path,))
    assert execution.goes_on
    assert execution.plans_anew == (executor not in ("federated", "sparse.execution"))


@pytest.mark.parametrize(
    ("job", "report", "message"),
    [
        (None, None, "holds no job.json; name the folder that a run was given by --out"),
        ({"legs": []}, {}, "its run has come to its end; nothing is left to resume"),
        ({"plan": {}}, None, "holds no job of edgeplan; name the folder that a run was given by --out"),
    ],
)
def test_what_cannot_go_on_is_refused(
    tmp_path: Path, job: dict[str, Any] | None, report: dict[str, Any] | None, message: str
) -> None:
    if job is not None:
        write_json(job_path(tmp_path), job)
    if report is not None:
        write_json(report_path(tmp_path), report)
    with pytest.raises(UsageError, match=message):
        resumed_execution(tmp_path)
