"""Characters to learn a language from that every Python brings along: the topics of its own help.

About 460,000 characters of prose, tables and code. A character stands as its ASCII code, so that the
vocabulary is the same with every version of Python; the few others stand as a question mark.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

VOCABULARY = 128
Codes = NDArray[np.uint8]


def read_topics() -> list[Codes]:
    """Return the topics as codes of characters, by name.

    Examples
    --------
    >>> topics = read_topics()
    >>> len(topics) > 50, max(int(topic.max()) for topic in topics) < VOCABULARY
    (True, True)
    """
    from pydoc_data.topics import topics

    return [
        np.frombuffer(topics[name].encode("ascii", errors="replace"), dtype=np.uint8)
        for name in sorted(topics)
    ]
