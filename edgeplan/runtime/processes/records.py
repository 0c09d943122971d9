"""Files that processes leave for each other: JSON, complete or not there at all."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

from edgeplan.errors import UsageError

Event = dict[str, Any]
"""What a process saw: its kind under ``event``, its place in the run, and figures."""


def write_json(path: Path, document: Any) -> None:
    """Write beside `path` and rename, so that no reader meets half a file."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    aside.replace(path)


def finite(loss: float) -> float | None:
    """Return the loss; None once training has diverged, for JSON has no NaN."""
    return loss if math.isfinite(loss) else None


def read_json(path: Path) -> Any:
    """Read what `write_json` wrote."""
    return json.loads(path.read_text(encoding="utf-8"))


def job_path(folder: Path) -> Path:
    """Where the job file stands."""
    return folder / "job.json"


def unfinished_job(folder: Path, member: str | None = None) -> Path:
    """Return the job file of a run that has not come to its end.

    Parameters
    ----------
    folder
        Of the run.
    member
        What the jobs of an executor have, and no others; None is any executor.

    Raises
    ------
    UsageError
        When there is none in the folder.
    """
    path = job_path(folder.resolve())
    if not path.is_file():
        raise UsageError(f"{folder}: holds no {path.name}; name the folder that a run was given by --out")
    if report_path(folder).is_file():
        raise UsageError(f"{folder}: its run has come to its end; nothing is left to resume")
    if member is not None and member not in read_json(path):
        raise UsageError(f"{folder}: its run is of another kind; resume it by edgeplan run --resume")
    return path


def events_path(folder: Path, rank: int) -> Path:
    """Where a process leaves its events."""
    return folder / f"events-{rank}.json"


def journal_path(folder: Path, seat: int) -> Path:
    """Where a node writes its events down as they happen, a line each."""
    return folder / f"events-{seat}.jsonl"


def state_path(folder: Path, seat: int) -> Path:
    """Where a node keeps what it would go on from."""
    return folder / f"state-{seat}.npz"


def ledger_path(folder: Path, seat: int) -> Path:
    """Where a node writes down what it has given away of its samples."""
    return folder / f"privacy-{seat}.jsonl"


def failure_path(folder: Path, rank: int) -> Path:
    """Where a process that fails leaves the moment of its failure."""
    return folder / f"failure-{rank}.json"


def lost_key(rank: int) -> str:
    """Where the supervisor tells, in the rendezvous store, that a process that may be lost has ended."""
    return f"edgeplan/lost/{rank}"


def log_path(folder: Path, rank: int) -> Path:
    """Where a process's standard error goes."""
    return folder / f"rank-{rank}.log"


def progress_path(folder: Path) -> Path:
    """Where the process that scored a round tells of it."""
    return folder / "progress.json"


def report_path(folder: Path) -> Path:
    """Where the finished run's report stands."""
    return folder / "run.json"


def forget_earlier_run(folder: Path, world_size: int) -> None:
    """Make the folder, and remove what another run would be taken for this one by."""
    folder.mkdir(parents=True, exist_ok=True)
    for rank in range(world_size):
        events_path(folder, rank).unlink(missing_ok=True)
        failure_path(folder, rank).unlink(missing_ok=True)
    for pattern in ("events-*.jsonl", "state-*.npz", "privacy-*.jsonl"):
        for kept in folder.glob(pattern):
            kept.unlink()
    progress_path(folder).unlink(missing_ok=True)
    report_path(folder).unlink(missing_ok=True)


def parameters_path(folder: Path) -> Path:
    """Where the trained parameters stand, one float32 vector in the order of the model's layers."""
    return folder / "parameters.npy"
