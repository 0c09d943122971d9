"""Files of a run: those that the processes of any run leave, and the trained parameters."""

from __future__ import annotations

from pathlib import Path

from edgeplan.runtime.processes.records import (
    Event,
    progress_path,
    read_json,
    report_path,
    write_json,
)

__all__ = [
    "Event",
    "parameters_path",
    "progress_path",
    "read_json",
    "report_path",
    "write_json",
]


def parameters_path(folder: Path) -> Path:
    """Where the trained parameters stand, one float32 vector in the order of the model's layers."""
    return folder / "parameters.npy"
