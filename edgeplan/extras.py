"""Optional dependencies: import one where it is used, or say in one line which extra brings it."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from types import ModuleType

from edgeplan.errors import MissingExtraError

EXTRA_OF_MODULE = {
    "cvxpy": "convex",
    "pulp": "milp",
    "torch": "runtime",
    "sklearn": "runtime",
    "transformers": "profile",
    "matplotlib": "report",
    "jinja2": "report",
}


def is_installed(module: str) -> bool:
    """Say whether `module` can be found, without importing it."""
    return find_spec(module) is not None


def require(module: str, *, purpose: str) -> ModuleType:
    """Import `module`, or name the extra that brings it.

    Parameters
    ----------
    module
        Top-level module name, a key of ``EXTRA_OF_MODULE``.
    purpose
        What needs it, as the beginning of a sentence: "edgeplan report".

    Raises
    ------
    MissingExtraError
        When the module is not installed.

    Examples
    --------
    >>> require("json", purpose="this example").__name__
    'json'
    """
    if not is_installed(module):
        extra = EXTRA_OF_MODULE[module]
        raise MissingExtraError(
            f"{purpose} needs {module}, which is not installed: pip install 'edgeplan[{extra}]'"
        )
    return importlib.import_module(module)
