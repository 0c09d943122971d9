"""CVXPY's verdicts from a process of its own: with it in the house OR-Tools cannot be imported."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context

from independent.segment_evaluator import Document
from independent.segment_programme import Part, SlotProgramme

Choice = tuple[Part, ...]


def _judged(document: Document, choices: Sequence[Choice]) -> list[float]:
    from independent.segment_cvxpy import judge

    slot = SlotProgramme(document)
    return [judge(slot, parts) for parts in choices]


@dataclass(frozen=True)
class Judge:
    """CVXPY in its process."""

    pool: ProcessPoolExecutor

    def values(self, document: Document, choices: Sequence[Choice]) -> list[float]:
        """Return the least objective of the first slot with each choice of structures."""
        return self.pool.submit(_judged, document, choices).result()


@contextmanager
def cvxpy_judge() -> Iterator[Judge]:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield Judge(pool)
