"""From the old plan to the new one: what became of it, and what must move."""

from __future__ import annotations

from edgeplan.models.replanned import Migration, Replanned
from edgeplan.report.content import Block, Facts
from edgeplan.report.sections.head import number_text
from edgeplan.report.units import bytes_text, counted, shortened

_MOST_NAMED, _NAME_WIDTH = 6, 24


def change_over(replanned: Replanned | None, objective: float | None) -> list[Block]:
    """Lay out the old plan's part in a result; nothing where there is none."""
    if replanned is None:
        return []
    pairs = [("Old plan", replanned.repair)]
    if replanned.repaired_objective is not None:
        compared = f"{number_text(replanned.repaired_objective)}, new plan {number_text(objective)}"
        pairs.append(("Objective of the old plan, repaired", compared))
    if replanned.migration is not None:
        pairs += _moved(replanned.migration)
    return [Facts("From the old plan to this one", tuple(pairs))]


def _moved(migration: Migration) -> list[tuple[str, str]]:
    moved = f"{bytes_text(migration.moved_bytes)} for {counted(migration.layers_moved, 'layer')}"
    pairs = [("Bytes to move first", moved)]
    sources = (
        ("from the old owners", migration.from_owner_bytes),
        ("from others, as the owner left", migration.from_others_bytes),
        ("from a checkpoint, or begun anew", migration.from_checkpoint_bytes),
    )
    pairs += [(f"… {source}", bytes_text(amount)) for source, amount in sources if amount]
    pairs.append(("Stages changed", str(migration.stages_changed)))
    groups = (
        ("left", migration.left),
        ("released", migration.released),
        ("joined", migration.joined),
        ("kept", migration.kept),
    )
    return pairs + [(f"Nodes {name}", _named(nodes)) for name, nodes in groups if nodes]


def _named(nodes: tuple[str, ...]) -> str:
    """Name the first nodes."""
    named = ", ".join(shortened(node, _NAME_WIDTH) for node in nodes[:_MOST_NAMED])
    return f"{len(nodes)}: {named}" + (", …" if len(nodes) > _MOST_NAMED else "")
