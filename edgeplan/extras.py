"""Optional dependencies: import one where it is used, or say in one line which extra brings it."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from types import ModuleType

from edgeplan.errors import MissingExtraError

EXTRA_OF_MODULE = {
    "cvxpy": "convex",
    "pulp": "milp",
    "highspy": "milp",
    "torch": "runtime",
    "opacus": "privacy",
    "sklearn": "runtime",
    "transformers": "profile",
    "matplotlib": "report",
    "jinja2": "report",
}


def is_installed(module: str) -> bool:
    """Say whether `module` can be found, without importing it."""
    return find_spec(module) is not None


def check_installed(module: str, *, purpose: str) -> None:
    """Name the extra that brings `module` if it is missing; for a module that a child process imports.

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
    """
    if not is_installed(module):
        extra = EXTRA_OF_MODULE[module]
        raise MissingExtraError(
            f"{purpose} needs {module}, which is not installed: pip install 'edgeplan[{extra}]'"
        )


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
    check_installed(module, purpose=purpose)
    return importlib.import_module(module)
