"""Strict JSON: text in, plain values out, every fault with its place.

Beyond the standard library's reader it refuses NaN and Infinity, duplicate keys, documents that are
too large or too deep, and text that is not UTF-8. Members whose key begins with ``x-`` are the user's
own notes: they must be JSON too, and are dropped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

from edgeplan.errors import InvalidInputError
from edgeplan.models.faults import MAX_COLLECTED, Fault, Path

MAX_DOCUMENT_BYTES = 512 * 2**20
MAX_DEPTH = 32
NOTE_PREFIX = "x-"
_MAX_INTEGER_DIGITS = 300  # beyond these no float holds it, so no field of ours does


class _Object(dict[str, Any]):
    """A JSON object that remembers which keys occurred more than once."""

    repeated: tuple[str, ...] = ()


class _NotANumber(float):
    """NaN or Infinity as written; the walk over the document gives it its place."""


class _Reader:
    """Hooks of one parse; `suspicious` says that a walk over the document has something to find."""

    def __init__(self, *, keep_notes: bool) -> None:
        self.suspicious = False
        self._keep_notes = keep_notes

    def constant(self, text: str) -> float:
        self.suspicious = True
        return _NotANumber(text)

    def pairs(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) == len(pairs):
            return value if self._keep_notes else _without_notes(value)
        self.suspicious = True
        seen: set[str] = set()
        marked = _Object(value if self._keep_notes else _without_notes(value))
        repeated = []
        for key, _ in pairs:
            if key in seen:
                repeated.append(key)
            seen.add(key)
        marked.repeated = tuple(repeated)
        return marked

    @staticmethod
    def integer(text: str) -> int | float:
        return int(text) if len(text) <= _MAX_INTEGER_DIGITS else float(text)


def parse(data: bytes | str, *, source: str | None = None) -> tuple[Any, list[Fault]]:
    """Read one JSON document.

    Parameters
    ----------
    data
        The document's bytes (UTF-8, no byte-order mark) or text.
    source
        Its name in error messages.

    Returns
    -------
    tuple[Any, list[Fault]]
        Plain dictionaries, lists, strings, numbers, booleans and None, without the ``x-`` notes; and
        the faults that have a place in it: repeated keys, NaN and Infinity.

    Raises
    ------
    InvalidInputError
        When the text as a whole is no JSON document that we read.

    Examples
    --------
    >>> parse('{"a": 1, "x-note": "mine"}')
    ({'a': 1}, [])
    >>> print(*parse('{"a": [1, NaN], "a": 2}')[1])
    /a: 2: key appears more than once; keep one of them
    """
    reader = _Reader(keep_notes=False)
    try:
        text = _decode(data)
        document = _parse_text(text, reader)
        _check_depth(document)
        reader.suspicious |= "\\ud" in text or "\\uD" in text
        whole = _parse_text(text, _Reader(keep_notes=True)) if reader.suspicious else None
    except _UnreadableError as error:
        raise InvalidInputError([error.fault], source) from None
    return document, list(islice(_walk_faults(whole), MAX_COLLECTED))


class _UnreadableError(Exception):
    """The document as a whole cannot be read."""

    def __init__(self, rule: str) -> None:
        self.fault = Fault((), rule)


def _decode(data: bytes | str) -> str:
    if len(data) > MAX_DOCUMENT_BYTES:
        raise _UnreadableError(f"{len(data)} bytes: must be at most {MAX_DOCUMENT_BYTES} bytes; split it")
    if isinstance(data, str):
        return data
    if data.startswith(b"\xef\xbb\xbf"):
        raise _UnreadableError("begins with a byte-order mark: must be plain UTF-8; save it without the mark")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _UnreadableError(
            f"byte {error.start} is not UTF-8: must be UTF-8 text; re-encode the file"
        ) from None


def _parse_text(text: str, reader: _Reader) -> Any:
    if not text.strip():
        raise _UnreadableError("empty: must be a JSON object; write one that begins with {")
    try:
        return json.loads(
            text,
            object_pairs_hook=reader.pairs,
            parse_constant=reader.constant,
            parse_int=reader.integer,
        )
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise _UnreadableError(f"not JSON at {place}: {error.msg}; mend the text there") from None
    except RecursionError:
        raise _too_deep() from None


def _too_deep() -> _UnreadableError:
    return _UnreadableError(f"nested too deep: must be at most {MAX_DEPTH} levels; flatten it")


def _children(containers: list[Any]) -> list[Any]:
    return [
        child
        for container in containers
        for child in (container.values() if isinstance(container, dict) else container)
        if isinstance(child, dict | list)
    ]


def _check_depth(document: Any) -> None:
    level = [document] if isinstance(document, dict | list) else []
    for _ in range(MAX_DEPTH):
        level = _children(level)
        if not level:
            return
    raise _too_deep()


def _walk_faults(document: Any) -> Iterator[Fault]:
    """Give a place to every repeated key, every NaN and every key that UTF-8 cannot hold."""
    stack: list[tuple[Path, Any]] = [((), document)]
    while stack:
        path, value = stack.pop()
        if isinstance(value, _NotANumber):
            yield Fault(path, "must be a finite number; JSON has no NaN or Infinity", float(value))
        elif isinstance(value, dict):
            for key in value.repeated if isinstance(value, _Object) else ():
                yield Fault((*path, key), "key appears more than once; keep one of them", value[key])
            for key in value:
                if any("\ud800" <= char <= "\udfff" for char in key):
                    rule = "key must be text that UTF-8 can hold; remove the lone surrogate"
                    yield Fault((*path, key), rule)
            stack += [((*path, key), child) for key, child in value.items()]
        elif isinstance(value, list):
            stack += [((*path, index), child) for index, child in enumerate(value)]


def _without_notes(value: dict[str, Any]) -> dict[str, Any]:
    for key in value:
        if key.startswith(NOTE_PREFIX):
            return {key: child for key, child in value.items() if not key.startswith(NOTE_PREFIX)}
    return value


def canonical_bytes(document: Any) -> bytes:
    """Write a document with sorted keys, no spaces, in UTF-8."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(
        "utf-8", "surrogatepass"
    )


def sha256(document: Any) -> str:
    """Hash a document that `parse` returned, so without its notes.

    Examples
    --------
    >>> sha256({"b": 1, "a": 2}) == sha256({"a": 2, "b": 1})
    True
    """
    return hashlib.sha256(canonical_bytes(document)).hexdigest()
