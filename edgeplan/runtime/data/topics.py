"""The topics of Python's help as windows of characters: prose, tables and code from every Python.

A window is one character longer than a sample, so that every character has its next one. Whole topics are
held out. Many topics are parts of others: a paragraph stays with the first topic that has it, or what is held
out would be trained on elsewhere. Topics differ in kind: one that is
mostly lower-case letters and spaces is prose, one with few of them is code or a table. In the order of that
share they are divided into ten kinds of about equal text, which stand for labels when text is split over
nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from edgeplan.runtime.networks import CHARACTERS
from edgeplan.runtime.text import Codes, read_topics

TEST_SHARE = 0.1
NUM_KINDS = 10
PARAGRAPH = b"\n\n"
PROSE = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz ", dtype=np.uint8)


@dataclass(frozen=True)
class Windows:
    """Windows that do not overlap but for one character, and the kind of each one's topic."""

    codes: Codes
    kinds: NDArray[np.uint8]


def read_windows(seed: int) -> tuple[Windows, Windows]:
    """Read training and test windows.

    Parameters
    ----------
    seed
        Draws the order in which topics are held out, each that still fits into a tenth of the text.

    Examples
    --------
    >>> training, test = read_windows(seed=0)
    >>> training.codes.shape[1], int(training.kinds.max())
    (65, 9)
    >>> 0.05 < len(test.codes) / len(training.codes) < 0.12
    True
    """
    topics = [topic for topic in without_repetitions(read_topics()) if len(topic) > CHARACTERS]
    kinds = kinds_of(topics)
    held_out = _held_out([len(topic) for topic in topics], seed)
    parts = ([k for k in range(len(topics)) if (k in held_out) == is_test] for is_test in (False, True))
    training, test = (_windows([topics[k] for k in part], kinds[part]) for part in parts)
    return training, test


def without_repetitions(topics: Sequence[Codes]) -> list[Codes]:
    r"""Leave every paragraph to the first topic that has it.

    Examples
    --------
    >>> texts = b"one\n\ntwo", b"two\n\nthree"
    >>> topics = [np.frombuffer(text, dtype=np.uint8) for text in texts]
    >>> [topic.tobytes() for topic in without_repetitions(topics)]
    [b'one\n\ntwo', b'three']
    """
    seen: set[bytes] = set()
    left = []
    for topic in topics:
        paragraphs = [one for one in topic.tobytes().split(PARAGRAPH) if one.strip() not in seen]
        seen.update(one.strip() for one in paragraphs)
        left.append(np.frombuffer(PARAGRAPH.join(paragraphs), dtype=np.uint8))
    return left


def kinds_of(topics: Sequence[Codes]) -> NDArray[np.uint8]:
    """Return the kind of each topic, from the fewest letters and spaces to the most.

    Examples
    --------
    >>> code, prose = (np.frombuffer(text, dtype=np.uint8) for text in (b"x[1:2] += {}", b"some words on"))
    >>> kinds_of([prose, code]).tolist()
    [7, 2]
    """
    order = np.argsort([np.isin(topic, PROSE).mean() for topic in topics], kind="stable")
    sizes = np.array([len(topics[k]) for k in order])
    middles = (np.cumsum(sizes) - sizes / 2) / sizes.sum()
    kinds = np.empty(len(topics), dtype=np.uint8)
    kinds[order] = (NUM_KINDS * middles).astype(np.uint8)
    return kinds


def _held_out(sizes: Sequence[int], seed: int) -> set[int]:
    left = TEST_SHARE * sum(sizes)
    chosen: set[int] = set()
    for topic in np.random.default_rng([seed, 1]).permutation(len(sizes)):
        if sizes[topic] <= left:
            chosen.add(int(topic))
            left -= sizes[topic]
    return chosen


def _windows(topics: Sequence[Codes], kinds: NDArray[np.uint8]) -> Windows:
    cut = [sliding_window_view(topic, CHARACTERS + 1)[::CHARACTERS] for topic in topics]
    return Windows(np.concatenate(cut), np.repeat(kinds, [len(windows) for windows in cut]))
