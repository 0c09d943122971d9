"""The guarantee of steps that were taken: epsilon by the Rényi accountant of Opacus.

It composes the sampled Gaussian mechanism in Rényi divergences (Mironov et al., arXiv 1908.10530) and
converts them at the best order (Balle et al., arXiv 1905.09982). Every order gives a bound that holds, so
more of them than Opacus tries by itself only make it tighter.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import NamedTuple

from edgeplan.runtime.learning.privacy.mechanism import Privacy

ORDERS = (*(1 + tenths / 10 for tenths in range(1, 100)), *range(11, 64), 80, 96, 128, 192, 256, 384, 512)


class Taken(NamedTuple):
    """Steps that were taken, with one sample rate."""

    steps: int
    sample_rate: float


def epsilon_of(privacy: Privacy, taken: Iterable[Taken]) -> float:
    """Return epsilon at the mechanism's delta, an upper bound; 0 of no steps.

    Parameters
    ----------
    privacy
        The mechanism.
    taken
        All steps of one node.

    Examples
    --------
    >>> privacy = Privacy(noise=1.0)
    >>> [round(epsilon_of(privacy, [Taken(steps, 0.1)]), 2) for steps in (0, 30, 60)]
    [0.0, 4.85, 6.33]
    """
    from opacus.accountants import RDPAccountant

    history = [(privacy.noise, one.sample_rate, one.steps) for one in taken if one.steps]
    accountant = RDPAccountant()
    accountant.load_state_dict({"history": history, "mechanism": accountant.mechanism()})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a larger order might give a tighter bound
        return max(0.0, float(accountant.get_epsilon(privacy.delta, alphas=ORDERS)))
