"""A user's network: a factory named as ``package.module:factory``, also in the current directory."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from edgeplan.errors import UsageError

FAULTS = (RuntimeError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError, AssertionError)
"""What a user's code raises when it is fed what it does not take."""


def make(place: str) -> nn.Module:
    """Import the factory and call it without arguments.

    Parameters
    ----------
    place
        ``package.module:factory``.

    Raises
    ------
    UsageError
        When there is no such module or attribute, it cannot be called, fails, or does not return a module.
    """
    module_name, _, attribute = place.partition(":")
    with _current_directory_importable():
        factory = _attribute(_import(module_name), attribute, place)
        if not callable(factory):
            raise UsageError(f"{place}: {attribute} is a {type(factory).__name__}; must be callable")
        try:
            made = factory()
        except FAULTS as error:
            raise UsageError(f"{place}: calling it without arguments fails: {last_line(error)}") from error
    if not isinstance(made, nn.Module):
        raise UsageError(f"{place}: returns a {type(made).__name__}; must return a torch.nn.Module")
    return made


def _import(module_name: str) -> object:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module_name}.".startswith(f"{error.name}."):
            raise UsageError(
                f"no module {error.name!r}, neither installed nor in {os.getcwd()}; "
                "the network must be given as package.module:factory"
            ) from error
        raise UsageError(f"importing {module_name} fails: {last_line(error)}") from error
    except (ImportError, SyntaxError, *FAULTS) as error:
        raise UsageError(f"importing {module_name!r} fails: {last_line(error)}") from error


def _attribute(module: object, attribute: str, place: str) -> object:
    found = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise UsageError(f"{place}: no {part!r} in {getattr(found, '__name__', found)}")
        found = getattr(found, part)
    return found


@contextmanager
def _current_directory_importable() -> Iterator[None]:
    directory = os.getcwd()
    sys.path.insert(0, directory)
    try:
        yield
    finally:
        if directory in sys.path:
            sys.path.remove(directory)


def last_line(error: BaseException) -> str:
    """Say what kind of error it is and how its message ends."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[-1].strip()}" if lines else type(error).__name__
