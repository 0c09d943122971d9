"""Differential privacy of a run: what each node has given away of its samples."""

from __future__ import annotations

from edgeplan.report.content import Block, Table
from edgeplan.report.run_document import NodePrivacy, Privacy
from edgeplan.report.sections.head import number_text
from edgeplan.report.units import UNKNOWN

_COLUMNS = ("node", "samples>", "steps>", "epsilon>")


def privacy_blocks(privacy: Privacy | None) -> list[Block]:
    """Lay out the guarantee of each node; nothing where there is none."""
    if privacy is None:
        return []
    rows = [_row(node) for node in privacy.nodes]
    title = f"Differential privacy of each node, delta {number_text(privacy.delta)}"
    return [Table.of(title, _COLUMNS, rows, note=_note(privacy))]


def _row(node: NodePrivacy) -> tuple[str, ...]:
    counts = (UNKNOWN if count is None else f"{count:,}" for count in (node.samples, node.steps))
    return (node.node, *counts, UNKNOWN if node.epsilon is None else f"{node.epsilon:.4g}")


def _note(privacy: Privacy) -> str:
    noise, norm = number_text(privacy.noise_multiplier), number_text(privacy.max_gradient_norm)
    how = f"Noise multiplier {noise}, largest norm of a gradient {norm}; {privacy.neighbours}."
    reckoned = f" Upper bound by {privacy.accountant}." if privacy.accountant else ""
    void = " Noise came from a known seed: no guarantee towards who knows it." if privacy.seeded else ""
    return how + reckoned + void
