"""Random malformed instances of segment_scheduling are refused, with a pointer to what was broken."""

from __future__ import annotations

from collections import Counter

import pytest
from independent.segment_instances import random_document
from malformed_segments import malformed_segments
from tier import chunks

from edgeplan.errors import InvalidInputError
from edgeplan.models.document import parse
from edgeplan.models.problems import problem_from_document

_SHAPES = ((1, 2, 3, 4, 1), (2, 2, 2, 3, 3), (2, 3, 4, 4, 2), (3, 1, 2, 2, 2))


@pytest.mark.parametrize("seeds", chunks(250, commit=1_000, large=50_000), ids=str)
def test_a_malformed_document_is_refused_with_the_right_pointer(seeds: range) -> None:
    kinds: Counter[str] = Counter()
    for seed in seeds:
        broken = malformed_segments(seed, random_document(seed % 100, *_SHAPES[seed % len(_SHAPES)]))
        kinds[broken.kind] += 1
        parsed, also = parse(broken.data)
        with pytest.raises(InvalidInputError) as caught:
            problem_from_document(parsed, also=also)
        assert 1 <= len(caught.value.faults) <= 100
        assert all(line.isprintable() for line in caught.value.lines())
        assert broken.pointer in {fault.pointer for fault in caught.value.faults}, (seed, broken.kind)
    assert len(kinds) == 9
