"""What a node adds to its gradients so that nobody can tell whether a sample was among them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from edgeplan.errors import UsageError
from edgeplan.runtime.settings import JobSettings

DEFAULT_CLIP = 1.0
DEFAULT_DELTA = 1e-5
LEAST_NOISE = 0.1
"""With it, a single step of all samples has an epsilon of about a hundred."""


@dataclass(frozen=True)
class Privacy:
    """The mechanism, and how its guarantee is stated.

    Parameters
    ----------
    noise
        Noise multiplier sigma: standard deviation of the noise in units of `clip`.
    clip
        Largest norm C of a sample's gradient.
    delta
        Of the guarantee.
    seed
        Of sampling and noise, for tests; None draws from the system's entropy.
    """

    noise: float
    clip: float = DEFAULT_CLIP
    delta: float = DEFAULT_DELTA
    seed: int | None = None


@dataclass(frozen=True, kw_only=True)
class PrivacySettings(JobSettings):
    """Settings of executors whose nodes train on samples of their own.

    Parameters
    ----------
    noise
        Noise multiplier; None trains without differential privacy.
    clip
        Largest norm of a sample's gradient; None is 1.
    delta
        Of the guarantee; None is 1e-5.
    noise_seed
        Seeds sampling and noise, so that a run can be repeated. It is for tests: whoever knows it can take
        the noise away. None draws from the system's entropy.

    Examples
    --------
    >>> PrivacySettings(noise=1.0).privacy
    Privacy(noise=1.0, clip=1.0, delta=1e-05, seed=None)
    >>> PrivacySettings().privacy is None
    True
    """

    noise: float | None = None
    clip: float | None = None
    delta: float | None = None
    noise_seed: int | None = None

    @property
    def privacy(self) -> Privacy | None:
        """The mechanism; None where there is none."""
        if self.noise is None:
            return None
        return Privacy(
            self.noise,
            DEFAULT_CLIP if self.clip is None else self.clip,
            DEFAULT_DELTA if self.delta is None else self.delta,
            self.noise_seed,
        )


def check_privacy(settings: PrivacySettings) -> None:
    """Refuse settings that are out of range, or say nothing.

    Raises
    ------
    UsageError
        With the first of them.
    """
    for fault in _faults(settings):
        raise UsageError(fault)


def _faults(settings: PrivacySettings) -> Iterator[str]:
    if settings.noise is None:
        for name in ("clip", "delta", "noise_seed"):
            value = getattr(settings, name)
            if value is not None:
                yield f"{name} {value}: says nothing without noise; give noise, such as 1, or leave it out"
        return
    if not LEAST_NOISE <= settings.noise < math.inf:
        yield f"noise {settings.noise}: must be finite and at least {LEAST_NOISE:g}; use such a multiplier"
    if settings.clip is not None and not 0.0 < settings.clip < math.inf:
        yield f"clip {settings.clip}: must be above 0 and finite; use another norm"
    if settings.delta is not None and not 0.0 < settings.delta < 1.0:
        yield f"delta {settings.delta}: must be above 0 and below 1; use one far below 1 over the samples"
    if settings.noise_seed is not None and settings.noise_seed < 0:
        yield f"noise_seed {settings.noise_seed}: must be at least 0; use such a seed"
