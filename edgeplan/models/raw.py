"""Reading parts of a document that may be malformed: what has the wrong type reads as absent.

Rules that look across a document run on the raw document, so that they are reported together with
the faults of single fields rather than after them.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Any


def member(value: Any, *keys: str) -> Any:
    """Follow `keys` through objects; None where one is missing or no object stands there."""
    for key in keys:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def items_at(value: Any, *keys: str) -> list[Any]:
    """Return the array at `keys`, or an empty list."""
    found = member(value, *keys)
    return found if isinstance(found, list) else []


def object_at(value: Any, *keys: str) -> dict[str, Any]:
    """Return the object at `keys`, or an empty one."""
    found = member(value, *keys)
    return found if isinstance(found, dict) else {}


def string_at(value: Any, *keys: str) -> str | None:
    """Return the string at `keys`, or None."""
    found = member(value, *keys)
    return found if isinstance(found, str) else None


def number_at(value: Any, *keys: str) -> float | None:
    """Return the number at `keys`, or None."""
    found = member(value, *keys)
    return found if isinstance(found, int | float) and not isinstance(found, bool) else None


def repeated_values(values: Iterable[Hashable | None]) -> Iterator[tuple[int, Any]]:
    """Yield index and value of every value that occurred before; None is no value."""
    seen: set[Hashable] = set()
    for index, value in enumerate(values):
        if value is None:
            continue
        if value in seen:
            yield index, value
        seen.add(value)
