"""What simulated rounds took, an array a figure with a value a round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from edgeplan.simulation.chance import Array


@dataclass(frozen=True)
class Rounds:
    """Figures of rounds; times in seconds.

    Parameters
    ----------
    time_s
        From begin to end; infinite where a round did not end.
    compute_s, transfer_s, waiting_s, lost_s
        What this time went to, along the chain of work that decided it: computing, transfers, waiting for
        nodes or windows, and work that was lost with a node.
    bytes_moved
        Over all links, transfers that were cut short by their share.
    energy_j
        Energy of all nodes; None where the problem has none.
    lost, replaced, skipped
        Times that work was lost, visits taken over by another node, and parts of the plan left out.
    """

    time_s: Array
    compute_s: Array
    transfer_s: Array
    waiting_s: Array
    lost_s: Array
    bytes_moved: Array
    energy_j: Array | None
    lost: Array
    replaced: Array
    skipped: Array


def joined(parts: Sequence[Rounds]) -> Rounds:
    """Put chunks of rounds together."""

    def column(name: str) -> Any:
        known = [getattr(part, name) for part in parts]
        return None if known[0] is None else np.concatenate(known)

    return Rounds(**{field.name: column(field.name) for field in fields(Rounds)})
