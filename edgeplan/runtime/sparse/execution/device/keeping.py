"""What a device keeps of its work: its replica and momentum after an aggregation, before the next step.

A replica is kept before the devices compare what they hold. So whoever has seen that all are equal knows that
all have kept it, and the newest round that all who are left have kept is one that none of them is beyond by
more than one: the last two are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from edgeplan.runtime.processes.arrays import read_arrays, write_arrays
from edgeplan.runtime.sparse.execution.course import BEGINNING, Position

KEPT = 2


def keep(state: Mapping[str, Tensor], position: Position, folder: Path, index: int) -> None:
    """Write the state of a device after a round, and forget all but the last two.

    Parameters
    ----------
    state
        Tensors by name.
    position
        The round.
    folder
        Of the run.
    index
        Of the device, among all of the instance.
    """
    write_arrays(
        _path(folder, index, position), {name: tensor.detach().numpy() for name, tensor in state.items()}
    )
    for old in positions_kept(folder, index)[:-KEPT]:
        _path(folder, index, old).unlink()


def positions_kept(folder: Path, index: int) -> list[Position]:
    """Return the rounds whose states a device has, the oldest first."""
    names = (path.stem.split("-") for path in folder.glob(f"state-{index}-*-*.npz"))
    return sorted(Position(int(phase), int(number)) for _, _, phase, number in names)


def recall(position: Position, folder: Path, index: int) -> dict[str, Tensor]:
    """Return the state that a device kept after a round.

    Raises
    ------
    RunError
        When its file is none that `keep` wrote.
    """
    return {
        name: torch.from_numpy(array) for name, array in read_arrays(_path(folder, index, position)).items()
    }


def forget(folder: Path, index: int, beyond: Position | None = None) -> None:
    """Let be lost what a device kept: all of it, or what is beyond a round."""
    for position in positions_kept(folder, index):
        if beyond is None or position > beyond:
            _path(folder, index, position).unlink()


def newest_of_all(kept: Iterable[Sequence[Position]]) -> Position:
    """Return the newest round that all devices have kept.

    Examples
    --------
    >>> newest_of_all([[Position(0, 1), Position(0, 2)], [Position(0, 2), Position(0, 3)]])
    Position(phase=0, round=2)
    >>> newest_of_all([[], [Position(0, 1)]])
    Position(phase=0, round=0)
    """
    return max(set.intersection(*({BEGINNING, *positions} for positions in kept)))


def _path(folder: Path, index: int, position: Position) -> Path:
    return folder / f"state-{index}-{position.phase}-{position.round}.npz"
