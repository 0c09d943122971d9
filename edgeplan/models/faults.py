"""A fault of a document: where it is, what stands there, which rule it breaks, what to do."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

Path = tuple[str | int, ...]

MAX_FAULTS = 100
MAX_COLLECTED = 10 * MAX_FAULTS  # of one kind, before they are sorted and cut
_MAX_VALUE_LENGTH = 60
_MAX_POINTER_LENGTH = 300
_ABSENT = object()


def to_pointer(path: Iterable[str | int]) -> str:
    """Write a path as an RFC 6901 JSON pointer.

    Examples
    --------
    >>> to_pointer(("network", "nodes", 3, "a/b~c"))
    '/network/nodes/3/a~1b~0c'
    """
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def show_value(value: object) -> str:
    """Write a JSON value in one short, printable line."""
    text = json.dumps(value, ensure_ascii=False, default=repr)
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    text = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
    return text if len(text) <= _MAX_VALUE_LENGTH else text[: _MAX_VALUE_LENGTH - 3] + "..."


@dataclass(frozen=True, slots=True)
class Fault:
    """One broken rule of a document.

    Parameters
    ----------
    path
        Members and indices from the root to the offending place.
    rule
        The rule that is broken and, after a semicolon, the remedy.
    value
        What stands there; left out where nothing does, or where the whole document is meant.
    """

    path: Path
    rule: str
    value: object = _ABSENT

    @property
    def pointer(self) -> str:
        """RFC 6901 pointer, the empty string for the whole document."""
        return to_pointer(self.path)

    def __str__(self) -> str:
        place = show_value(self.pointer)[1:-1] if not self.pointer.isprintable() else self.pointer
        if len(place) > _MAX_POINTER_LENGTH:
            place = place[: _MAX_POINTER_LENGTH - 3] + "..."
        parts = [place or "(document)"]
        if self.value is not _ABSENT:
            parts.append(show_value(self.value))
        return ": ".join([*parts, self.rule])


def in_document_order(faults: Iterable[Fault]) -> list[Fault]:
    """Sort by place, one fault a place and rule, and cut to ``MAX_FAULTS`` with a closing count."""
    unique = {(fault.pointer, fault.rule): fault for fault in faults}
    ordered = sorted(unique.values(), key=lambda fault: [(isinstance(p, str), p) for p in fault.path])
    if len(ordered) <= MAX_FAULTS:
        return ordered
    kept = ordered[: MAX_FAULTS - 1]
    return [*kept, Fault((), f"{len(ordered) - len(kept)} more faults are not shown; mend these first")]
