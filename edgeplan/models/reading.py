"""From a parsed document to a typed one: pydantic's findings in our words and with our pointers."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from edgeplan.errors import InvalidInputError
from edgeplan.models.faults import Fault, Path, in_document_order

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
    "model_type": "must be an object; write {...}",
    "dict_type": "must be an object; write {...}",
    "tuple_type": "must be an array; write [...]",
    "string_unicode": "must be text that UTF-8 can hold; remove the lone surrogate",
    "greater_than_equal": "must be at least {ge:g}; use a larger value",
    "greater_than": "must be above {gt:g}; use a larger value",
    "less_than_equal": "must be at most {le}; use a smaller value",
    "too_short": "must have at least {min_length} item; add one",
    "too_long": "must have at most {max_length} items; drop the others",
    "literal_error": "must be {expected}",
}
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
        faults += [
            fault
            for details in error.errors(include_url=False)
            if (fault := _to_fault(details, kind)).path not in taken
        ]
    if faults:
        raise InvalidInputError(in_document_order(faults), source)
    return typed


def _to_fault(details: ErrorDetails, kind: type[BaseModel]) -> Fault:
    path: Path = details["loc"]
    if path and path[-1] == _KEY_MARK:
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
        field = kind.model_fields.get(part)
        nested = _model_in(field.annotation) if field else None
        kind = nested or kind
    return list(kind.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _model_in(arg))), None)
