"""Random instances with room for a plan, and a sound plan of each."""

from __future__ import annotations

import itertools

from independent.segment_evaluator import Document
from independent.segment_instances import random_document, random_plan

SHAPES = (
    (1, 3, 4, 5, 3),
    (2, 2, 3, 4, 2),
    (2, 3, 4, 3, 4),
    (3, 1, 2, 3, 6),
    (1, 4, 3, 2, 1),
    (2, 2, 1, 6, 3),
)


def drawn(seed: int) -> tuple[Document, Document]:
    """Return an instance and a plan that keeps all its rules; infeasible instances are passed over."""
    for attempt in itertools.count():
        document = random_document(seed + 1_000_000 * attempt, *SHAPES[seed % len(SHAPES)])
        plan = random_plan(seed, document)
        if plan is not None:
            return document, plan
    raise AssertionError
