"""The first slots of an instance."""

from __future__ import annotations

from edgeplan.errors import UsageError
from edgeplan.models.segment_scheduling.problem import SegmentScheduling


def first_slots(problem: SegmentScheduling, num_slots: int) -> SegmentScheduling:
    """Return the instance with a shorter horizon; its gains are those of the first slots.

    Raises
    ------
    UsageError
        When the instance has fewer slots.

    Examples
    --------
    >>> from edgeplan.models.segment_scheduling.examples import two_blocks_two_phones
    >>> first_slots(two_blocks_two_phones(), 1).instance.control.slots
    1
    """
    control, channels = problem.document["control"], problem.document["channels"]
    if not 1 <= num_slots <= control["slots"]:
        raise UsageError(f"slots: {num_slots}: must be from 1 to the {control['slots']} of the instance")
    if channels["kind"] == "trace":
        first = {
            link: {name: gains[:num_slots] for name, gains in channels[link].items()}
            for link in ("d2d", "uplink")
        }
        channels = channels | first
    return problem.replace(control=control | {"slots": num_slots}, channels=channels)
