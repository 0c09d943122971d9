"""Arrays that a process keeps for a later start of it: whole in their file, or not there at all."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgeplan.errors import RunError


def write_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write beside `path`, to the disk, and rename.

    Parameters
    ----------
    path
        File of the name ``.npz``.
    arrays
        By name.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "state-0.npz"
    >>> write_arrays(path, {"bias": np.zeros(2)})
    >>> read_arrays(path)["bias"].tolist()
    [0.0, 0.0]
    """
    aside = path.with_name(f".{path.name}")
    with aside.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def read_arrays(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Read what `write_arrays` wrote.

    Raises
    ------
    RunError
        When the file is none of these.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            return {name: kept[name] for name in kept.files}
    except (OSError, ValueError, KeyError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        raise RunError(f"{path}: is no checkpoint of a run ({error}); remove it to go on without") from error
