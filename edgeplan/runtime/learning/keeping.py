"""What a process keeps of its work after each round: the states of the last two.

A state is kept before the processes tell each other that the round is done. So whoever has seen that it is
done for all knows that all have kept it, and the newest round that all who are left have kept is one that
none of them is beyond by more than one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from edgeplan.runtime.processes.arrays import read_arrays, write_arrays

KEPT = 2

Position = tuple[int, ...]
"""A round, by numbers that grow from round to round."""


def keep(state: Mapping[str, Tensor], position: Position, folder: Path, seat: int) -> None:
    """Write the state of a process after a round, and forget all but the last two.

    Parameters
    ----------
    state
        Tensors by name.
    position
        The round.
    folder
        Of the run.
    seat
        Whose it is; the same whenever processes start again.
    """
    write_arrays(
        _path(folder, seat, position), {name: tensor.detach().numpy() for name, tensor in state.items()}
    )
    for old in positions_kept(folder, seat)[:-KEPT]:
        _path(folder, seat, old).unlink()


def positions_kept(folder: Path, seat: int) -> list[Position]:
    """Return the rounds whose states are kept, the oldest first."""
    names = (path.stem.split("-") for path in folder.glob(f"state-{seat}-*.npz"))
    return sorted(tuple(map(int, numbers)) for _, _, *numbers in names)


def recall(position: Position, folder: Path, seat: int) -> dict[str, Tensor]:
    """Return the state that was kept after a round.

    Raises
    ------
    RunError
        When its file is none that `keep` wrote.
    """
    return {
        name: torch.from_numpy(array) for name, array in read_arrays(_path(folder, seat, position)).items()
    }


def forget(folder: Path, seat: int, beyond: Position = ()) -> None:
    """Let be lost what was kept: all of it, or what is beyond a round."""
    for position in positions_kept(folder, seat):
        if position > tuple(beyond):
            _path(folder, seat, position).unlink()


def newest_of_all(kept: Iterable[Sequence[Position]], beginning: Position) -> Position:
    """Return the newest round that all have kept.

    Parameters
    ----------
    kept
        Rounds that each of them has kept.
    beginning
        A round that each of them can go on from as if it had kept it.

    Examples
    --------
    >>> newest_of_all([[(0, 1), (0, 2)], [(0, 2), (0, 3)]], (0, 0))
    (0, 2)
    >>> newest_of_all([[], [(0, 1)]], (0, 0))
    (0, 0)
    """
    return max(set.intersection(*({beginning, *positions} for positions in kept)))


def _path(folder: Path, seat: int, position: Position) -> Path:
    return folder / f"state-{seat}-{'-'.join(map(str, position))}.npz"
