"""Part of a run in which the switch counts what every process of a pipeline sends."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from edgeplan.runtime.emulation.wire import wire_counted
from edgeplan.runtime.pipeline.stages.stage_process import StageProcess

WIRED = "wired"


def counted(
    process: StageProcess, folder: Path, emulation: str, timeout_s: float, **place: int
) -> AbstractContextManager[None]:
    """Count what every process sends meanwhile; rank 0 keeps the count.

    Parameters
    ----------
    process
        This process.
    folder, emulation, timeout_s
        Of the run.
    place
        Members of the event.
    """

    def tell(sent: list[int]) -> None:
        process.note(WIRED, **place, sent_bytes=sent)

    return wire_counted(
        folder,
        emulation=emulation,
        timeout_s=timeout_s,
        tell=tell if process.rank == 0 else None,
        meet=process.meeting.wait,
    )
