"""Settings of a run as they travel in its job file."""

from __future__ import annotations

from dataclasses import Field, asdict
from typing import Any, ClassVar, Self

from edgeplan.runtime.processes.rehearsal import Fault

_FAULTS = "faults"


class JobSettings:
    """Base of the executors' settings, which are frozen dataclasses of plain values, and of faults."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def to_document(self) -> dict[str, Any]:
        """Return the settings as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Self:
        """Build the settings that `to_document` returned."""
        faults = tuple(Fault(**fault) for fault in document.get(_FAULTS, ()))
        return cls(**document | ({_FAULTS: faults} if _FAULTS in document else {}))
