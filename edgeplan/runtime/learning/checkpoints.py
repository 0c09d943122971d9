"""What a node keeps of its work: its copy of the network and how far that is, whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from edgeplan.errors import RunError
from edgeplan.runtime.learning.workload import Workload
from edgeplan.runtime.processes.arrays import read_arrays, write_arrays
from edgeplan.runtime.processes.records import state_path

Place = tuple[int, ...]
"""How far the work is, as its run counts it."""

_PLACE, _KEPT = "position", "state/"


def keep(workload: Workload, place: Sequence[int], folder: Path, seat: int) -> None:
    """Write parameters and buffers of a node beside the last ones, and put them in their place.

    Parameters
    ----------
    workload
        The node's copy of the network.
    place
        Where the run goes on.
    folder
        Of the run.
    seat
        The node's.
    """
    state = {_KEPT + name: tensor.detach().numpy() for name, tensor in workload.module.state_dict().items()}
    state[_PLACE] = np.array(place)
    write_arrays(state_path(folder, seat), state)


def place_kept(folder: Path, seat: int) -> Place | None:
    """Return how far the work is that a node has kept; None where it has kept nothing.

    Raises
    ------
    RunError
        When the file is none that `keep` wrote.
    """
    path = state_path(folder, seat)
    if not path.is_file():
        return None
    try:
        return tuple(int(number) for number in read_arrays(path)[_PLACE])
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{path}: is no checkpoint of a run ({error}); remove it to go on without") from error


def recall(workload: Workload, folder: Path, seat: int) -> Place | None:
    """Give a node back what it has kept, and return how far that is; None where it has kept nothing."""
    place = place_kept(folder, seat)
    if place is not None:
        kept = read_arrays(state_path(folder, seat))
        state = {name: torch.from_numpy(kept[_KEPT + name]) for name in workload.module.state_dict()}
        workload.module.load_state_dict(state)
    return place


def forget(folder: Path, seat: int) -> None:
    """Let what a node kept be lost with it."""
    state_path(folder, seat).unlink(missing_ok=True)
