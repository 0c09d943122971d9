"""Memory of this process, as the system tells it."""

from __future__ import annotations

from pathlib import Path

STATUS_FILE = Path("/proc/self/status")


def process_peak_bytes() -> int | None:
    """Peak resident memory of the whole process; None where the system does not tell."""
    return _status_bytes("VmHWM")


def data_bytes() -> int | None:
    """Memory that counts for RLIMIT_DATA; None where the system does not tell."""
    return _status_bytes("VmData")


def _status_bytes(name: str) -> int | None:
    if not STATUS_FILE.is_file():
        return None
    fields = dict(line.split(":", 1) for line in STATUS_FILE.read_text().splitlines() if ":" in line)
    found = fields.get(name)
    return None if found is None else int(found.split()[0]) * 1024
