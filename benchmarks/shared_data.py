"""Where the public profiles lie: a folder ``shared`` beside the repository, of which they are no part."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data"


class DataAbsentError(Exception):
    """The public data is not beside the repository, so what needs it is skipped."""


def data_file(*parts: str) -> Path:
    """Return the path of a data file.

    Raises
    ------
    DataAbsentError
        When it is not there.
    """
    path = FOLDER.joinpath(*parts)
    if not path.is_file():
        raise DataAbsentError(f"no {'/'.join(parts)} in the folder shared/data beside the repository")
    return path
