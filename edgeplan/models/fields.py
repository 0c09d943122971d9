"""Types of the fields of our documents: their ranges, and the base class that reads them strictly."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict
from pydantic_core import PydanticCustomError

MAX_INTEGER = 2**53 - 1


def _encodable(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise PydanticCustomError(
            "string_unicode", "must be text that UTF-8 can hold; remove the lone surrogate"
        ) from None
    return text


Name = Annotated[str, Field(min_length=1), AfterValidator(_encodable)]
Count = Annotated[int, Field(ge=0, le=MAX_INTEGER)]
PositiveCount = Annotated[int, Field(ge=1, le=MAX_INTEGER)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def _allow_notes(schema: dict[str, Any]) -> None:
    schema["patternProperties"] = {"^x-": {}}


class Document(BaseModel):
    """Base of everything read from JSON: strict types, no unknown members, immutable."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        json_schema_extra=_allow_notes,
        protected_namespaces=(),
        use_attribute_docstrings=True,
    )


# JSON has arrays where documents hold tuples, so only the container is read leniently.
ANY_ARRAY = Strict(False)
