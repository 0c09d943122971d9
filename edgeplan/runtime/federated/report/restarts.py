"""How earlier starts of a run came to their end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edgeplan.runtime.federated.job import Ending, Job


def restart_line(job: Job, ending: Ending) -> str:
    """Say how the run went on after an ending."""
    after = f"round {ending.rounds_made}" if ending.rounds_made else "its beginning"
    if ending.how is None:
        return f"the run was ended after {after}, and went on from what the server had kept"
    return (
        f"{job.stated.server} was lost ({ending.how}; it did: {ending.doing}) and started again; the run "
        f"went on after {after} from what it had kept"
    )


def restart_entries(job: Job) -> Iterator[dict[str, Any]]:
    """Yield the losses of the server."""
    for ending in job.endings:
        if ending.how is not None:
            yield {
                "node": job.stated.server,
                "after_round": ending.rounds_made,
                "how": ending.how,
                "doing": ending.doing,
            }
