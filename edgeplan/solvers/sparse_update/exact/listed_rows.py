"""Sparse rows on their way to a back-end: plain lists, read by processes that load no other library."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

Listed = dict[str, list[Any]]
"""Where each row begins, and the columns and factors of one row after another."""


def listed(matrix: Any) -> Listed:
    """List the rows of a matrix in SciPy's row format."""
    return {
        "begin": matrix.indptr.tolist(),
        "column": matrix.indices.tolist(),
        "factor": matrix.data.tolist(),
    }


def rows_of(rows: Listed) -> Iterator[tuple[list[int], list[float]]]:
    """Yield columns and factors of every row.

    Examples
    --------
    >>> list(rows_of({"begin": [0, 2, 3], "column": [0, 4, 1], "factor": [1.0, -1.0, 2.0]}))
    [([0, 4], [1.0, -1.0]), ([1], [2.0])]
    """
    column, factor = rows["column"], rows["factor"]
    for here, end in pairwise(rows["begin"]):
        yield column[here:end], factor[here:end]
