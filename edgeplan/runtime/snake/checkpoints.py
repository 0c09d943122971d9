"""What a node keeps of its work: its copy of the network after its last visit, whole or not at all."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import torch

from edgeplan.errors import RunError
from edgeplan.runtime.learning.workload import Workload
from edgeplan.runtime.processes.arrays import write_arrays
from edgeplan.runtime.processes.records import state_path
from edgeplan.runtime.snake.course import BEGINNING, Position

_POSITION, _KEPT = "position", "state/"


def keep(workload: Workload, position: Position, folder: Path, seat: int) -> None:
    """Write parameters and buffers of a node beside the last ones, and put them in their place.

    Parameters
    ----------
    workload
        The node's copy of the network.
    position
        The next visit of the round.
    folder
        Of the run.
    seat
        The node's.
    """
    state = {_KEPT + name: tensor.detach().numpy() for name, tensor in workload.module.state_dict().items()}
    state[_POSITION] = np.array(position)
    write_arrays(state_path(folder, seat), state)


def position_kept(folder: Path, seat: int) -> Position:
    """Return the position of what a node has kept; the beginning where it has kept nothing.

    Raises
    ------
    RunError
        When the file is none that `keep` wrote.
    """
    path = state_path(folder, seat)
    if not path.is_file():
        return BEGINNING
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            return Position(*(int(number) for number in kept[_POSITION]))
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise RunError(f"{path}: is no checkpoint of a run ({error}); remove it to go on without") from error


def recall(workload: Workload, folder: Path, seat: int) -> Position:
    """Give a node back what it has kept, and return its position."""
    position = position_kept(folder, seat)
    if position > BEGINNING:
        with np.load(state_path(folder, seat), allow_pickle=False) as kept:
            state = {name: torch.from_numpy(kept[_KEPT + name]) for name in workload.module.state_dict()}
        workload.module.load_state_dict(state)
    return position


def forget(folder: Path, seat: int) -> None:
    """Let what a node kept be lost with it."""
    state_path(folder, seat).unlink(missing_ok=True)
