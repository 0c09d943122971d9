"""Where sampling and noise come from.

PyTorch's own seeding fills its generator from 32 bits, whatever the seed: four billion streams, which can be
tried out. Here all its 624 words are filled from 128 bits of the system's entropy. It is no cryptographic
generator all the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

_HEADER_BYTES, _NUM_WORDS, _WORD_BYTES = 24, 624, 8  # seed, position, then a word in 64 bits each


def random_source(seed: Sequence[int] | None) -> torch.Generator:
    """Return a generator: NumPy's Mersenne Twister, as it would go on, in PyTorch's hands.

    Parameters
    ----------
    seed
        For tests; None is the system's entropy.

    Examples
    --------
    >>> draws = [torch.rand(2, generator=random_source(seed)).tolist() for seed in ([1, 2], [1, 2], None)]
    >>> draws[0] == draws[1], draws[0] == draws[2]
    (True, False)
    """
    words = np.random.MT19937(np.random.SeedSequence(seed)).state["state"]["key"]
    generator = torch.Generator().manual_seed(0)
    state = generator.get_state()
    end = _HEADER_BYTES + _NUM_WORDS * _WORD_BYTES
    state.numpy()[_HEADER_BYTES:end] = words.astype(np.uint64).view(np.uint8)
    return generator.set_state(state)
