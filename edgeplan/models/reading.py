"""From a parsed document to a typed one: pydantic's findings in our words and with our pointers."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from itertools import islice
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from edgeplan.errors import InvalidInputError
from edgeplan.models.faults import MAX_COLLECTED, Fault, Path, in_document_order

DocumentType = TypeVar("DocumentType", bound=BaseModel)

_RULES = {
    "missing": "required member is missing; add it",
    "int_type": "must be an integer; write it as digits alone, without quotes or a decimal point",
    "int_from_float": "must be an integer; write it as digits alone",
    "float_type": "must be a number that fits a float; write it without quotes",
    "finite_number": "must be a finite number; use a smaller one, or null where the field allows it",
    "string_type": "must be a string; put it in quotes",
    "bool_type": "must be true or false",
    "string_too_short": "must not be empty; give it a name",
    "model_type": "must be an object; write {{...}}",
    "dict_type": "must be an object; write {{...}}",
    "tuple_type": "must be an array; write [...]",
    "string_unicode": "must be text that UTF-8 can hold; remove the lone surrogate",
    "greater_than_equal": "must be at least {ge:g}; use a larger value",
    "greater_than": "must be above {gt:g}; use a larger value",
    "less_than_equal": "must be at most {le}; use a smaller value",
    "too_short": "must have at least {min_length} item; add one",
    "too_long": "must have at most {max_length} items; drop the others",
    "literal_error": "must be {expected}",
}
SILENT_TAG = "[kind] "  # begins the tags of a union, which pydantic writes into its paths
_KEY_MARK = "[key]"  # pydantic's last path element for a fault of a mapping's key


def read_document(
    document: Any, kind: type[DocumentType], *, also: Iterable[Fault] = (), source: str | None = None
) -> DocumentType:
    """Validate a parsed document.

    Parameters
    ----------
    document
        What `edgeplan.models.document.parse` returned.
    kind
        The class of the document.
    also
        Faults found otherwise, reported together with those of the fields.
    source
        Name of the document in messages.

    Raises
    ------
    InvalidInputError
        With all faults, in document order.
    """
    faults = list(also)
    try:
        typed = kind.model_validate(document)
    except ValidationError as error:
        taken = {fault.path for fault in faults}
        details = islice(error.errors(include_url=False), MAX_COLLECTED)
        faults += [_to_fault(item, kind) for item in details if not _is_echo(item, taken)]
    if faults:
        raise InvalidInputError(in_document_order(faults), source)
    return typed


def _is_echo(details: ErrorDetails, taken: set[Path]) -> bool:
    """Say whether the finding only repeats another: NaN, a bad key, an array whose items are all bad."""
    value, path = details["input"], details["loc"]
    if details["type"] == "too_short" and len(value) >= details["ctx"]["min_length"]:
        return True
    if any("\ufffd" in str(part) for part in path):  # pydantic's stand-in for a lone surrogate in a key
        return True
    return path in taken and isinstance(value, float) and not math.isfinite(value)


def _to_fault(details: ErrorDetails, kind: type[BaseModel]) -> Fault:
    path: Path = tuple(part for part in details["loc"] if not str(part).startswith(SILENT_TAG))
    if len(path) > 1 and path[-1] == _KEY_MARK and isinstance(path[-2], str) and details["input"] == path[-2]:
        path = path[:-1]
    error_type = details["type"]
    if error_type == "missing":
        return Fault(path, _RULES["missing"])
    if error_type == "extra_forbidden":
        return Fault(path, _unknown_member(path, kind), details["input"])
    rule = _RULES.get(error_type, details["msg"]).format(**details.get("ctx", {}))
    return Fault(path, rule, details["input"])


def _unknown_member(path: Path, kind: type[BaseModel]) -> str:
    close = difflib.get_close_matches(str(path[-1]), _member_names(kind, path[:-1]), n=1)
    hint = f"did you mean {close[0]}?" if close else "remove it, or begin its name with x- if it is a note"
    return f"unknown member; {hint}"


def _member_names(kind: type[BaseModel], path: Path) -> list[str]:
    """Names of the fields that the object at `path` may have."""
    for part in path:
        if isinstance(part, int):
            continue
        field = next((f for name, f in kind.model_fields.items() if part in (name, f.alias)), None)
        nested = _model_in(field.annotation) if field else None
        kind = nested or kind
    return [field.alias or name for name, field in kind.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _model_in(arg))), None)
