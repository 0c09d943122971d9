"""The compiled parts of the package, loaded as shared libraries."""

from __future__ import annotations

import ctypes
from importlib.util import find_spec

from edgeplan.errors import BackendError


def compiled_library(module: str, problem: str) -> ctypes.CDLL:
    """Load a compiled part.

    Parameters
    ----------
    module
        Its full name.
    problem
        What it is for, in messages.

    Raises
    ------
    BackendError
        When it was not built with the package.
    """
    found = find_spec(module)
    if found is None or found.origin is None:
        raise BackendError(
            f"the compiled part of {problem} is missing; install edgeplan anew where a C compiler is"
        )
    return ctypes.CDLL(found.origin)
