"""What a workload follows from."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import Field

from edgeplan.errors import InvalidInputError
from edgeplan.models.faults import Fault, Path
from edgeplan.models.fields import Count, Document, Positive, PositiveCount
from edgeplan.models.reading import read_document

START_VERSION = 1
"""Counted up when the same settings come to give another start."""


class WorkloadSettings(Document):
    """Settings of a workload, also as the note ``x-workload`` of an instance.

    Examples
    --------
    >>> settings = WorkloadSettings(num_devices=3)
    >>> WorkloadSettings.from_document(settings.to_document()) == settings
    True
    """

    model: Literal["mobilenetv2"] = "mobilenetv2"
    """The network."""
    width: Annotated[float, Field(gt=0, le=4)] = 0.35
    """Channels, as a share of those of the usual network."""
    image_size: Annotated[int, Field(ge=8, le=512)] = 32
    """Height and width of an image, in pixels."""
    pretraining_epochs: PositiveCount = 16
    """Passes over its half of the images that make the start."""
    seed: Count = 0
    """Of first weights, split, order of images."""
    num_devices: PositiveCount = 7
    """Devices among which the images of the task are divided."""
    alpha: Positive | None = None
    """Concentration of the Dirichlet distribution that splits labels over devices; null is alike for all."""
    learning_rate: Positive = 0.01
    """Of SGD on the task."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Of SGD on the task; 0 keeps none."""

    def to_document(self) -> dict[str, Any]:
        """Return the settings as plain JSON values."""
        return self.model_dump(mode="json")

    @classmethod
    def from_document(cls, document: Any, path: Path = ()) -> WorkloadSettings:
        """Read what `to_document` returned.

        Parameters
        ----------
        document
            JSON values.
        path
            Where they stand, for messages.

        Raises
        ------
        InvalidInputError
            With every fault.
        """
        try:
            return read_document(document, cls)
        except InvalidInputError as error:
            faults = [Fault((*path, *fault.path), fault.rule, fault.value) for fault in error.faults]
            raise InvalidInputError(faults) from None

    @property
    def start_key(self) -> str:
        """Name of the start that these settings lead to: others with the same begin equal."""
        made_from = {"model", "width", "image_size", "pretraining_epochs", "seed"}
        told = json.dumps([START_VERSION, self.model_dump(include=made_from)], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()[:16]
