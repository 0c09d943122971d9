"""The workload in the notes of an instance, so that a run can begin as the instance says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgeplan.errors import UsageError
from edgeplan.runtime.sparse.workload.settings import WorkloadSettings
from edgeplan.runtime.sparse.workload.workload import Workload

SETTINGS_NOTE = "x-workload"
START_NOTE = "x-start-sha256"


def notes_of(workload: Workload) -> dict[str, Any]:
    """Return settings and hash of the start, as members of an instance."""
    return {SETTINGS_NOTE: workload.settings.to_document(), START_NOTE: workload.fingerprint()}


def settings_in(document: Mapping[str, Any]) -> WorkloadSettings:
    """Read the settings in the notes of an instance.

    Parameters
    ----------
    document
        The instance as plain JSON with its notes, which the reader of problems drops.

    Raises
    ------
    UsageError
        When the instance has no such note.
    InvalidInputError
        With every fault of the note.

    Examples
    --------
    >>> settings_in({"x-workload": {"width": 0.5}}).width
    0.5
    """
    if SETTINGS_NOTE not in document:
        raise UsageError(
            f"/{SETTINGS_NOTE}: is missing: must say what is trained; make the instance by edgeplan instance "
            "sparse_update"
        )
    return WorkloadSettings.from_document(document[SETTINGS_NOTE], (SETTINGS_NOTE,))


def is_start_of(workload: Workload, document: Mapping[str, Any]) -> bool:
    """Say whether the instance was made from this start, not from one of another machine."""
    return START_NOTE not in document or bool(document[START_NOTE] == workload.fingerprint())
