"""What it takes to go from an old plan to the new one of a result."""

from __future__ import annotations

from typing import Annotated

from edgeplan.models.fields import ANY_ARRAY, Count, Document, Name

Names = Annotated[tuple[Name, ...], ANY_ARRAY]


class Migration(Document):
    """State that new owners need before the first round of the new plan, and who they are."""

    moved_bytes: Count
    """Bytes that new owners receive in all: the sum of the three below."""
    from_owner_bytes: Count
    """Of these, bytes that the old owner hands over."""
    from_others_bytes: Count
    """Bytes that the old owner took away when it left, and that another node or the server still has."""
    from_checkpoint_bytes: Count
    """Bytes that no node of the network has: from a checkpoint, or begun anew."""
    layers_moved: Count
    """Layers with another owner than before."""
    stages_changed: Count
    """Stages of the new plan that the old one did not have, node and layers alike."""
    left: Names
    """Nodes of the old plan that are gone from the network."""
    released: Names
    """Nodes of the old plan that are there and serve no more."""
    joined: Names
    """Nodes that serve now and did not before."""
    kept: Names
    """Nodes that serve in both plans."""


class Replanned(Document):
    """The old plan's part in a result."""

    repair: str
    """What became of the old plan: kept, repaired (and how), or why it could not be repaired."""
    repaired_objective: float | None
    """Objective of the old plan once repaired for this instance; null if it could not be."""
    migration: Migration | None
    """What must move from the old plan to the new one; null without a new plan."""
