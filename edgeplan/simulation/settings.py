"""How a simulation is set: rounds, noise, nodes that leave and return, and what is done about them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgeplan.errors import UsageError
from edgeplan.models.problem import Problem

WAIT, REPLACE, SKIP = "wait", "replace", "skip"
_POLICIES = {
    "layer_assignment, serial": (WAIT, REPLACE, SKIP),
    "layer_assignment, pipeline": (WAIT,),
    "segment_scheduling": (SKIP, WAIT),
    "sparse_update": (SKIP, WAIT),
}
"""What each kind of plan can do about a node that is away; the first is the default."""
MOST_ROUNDS = 1_000_000


@dataclass(frozen=True)
class Jitter:
    """Coefficients of variation of log-normal factors of mean 1; 0 is none.

    Parameters
    ----------
    compute
        Of every computation of every round.
    transfer
        Of every transfer of every round.
    node
        Of a node's computing, drawn once for all rounds: a speed that was not as written.
    """

    compute: float = 0.0
    transfer: float = 0.0
    node: float = 0.0

    @classmethod
    def of(cls, texts: Sequence[str]) -> Jitter:
        """Read jitter as it is given on the command line.

        Raises
        ------
        UsageError
            With the first text that is none.

        Examples
        --------
        >>> Jitter.of(["10%", "node=0.2"])
        Jitter(compute=0.1, transfer=0.1, node=0.2)
        """
        shares: dict[str, float] = {}
        for text in texts:
            name, equals, figure = text.rpartition("=")
            names = (name,) if equals else ("compute", "transfer")
            share = _share(text, figure)
            if any(one not in cls.__dataclass_fields__ for one in names):
                raise UsageError(f"--jitter {text}: {_JITTER_RULE}")
            shares |= dict.fromkeys(names, share)
        return cls(**shares)


_JITTER_RULE = (
    "must be a share from 0 to 10 such as 0.1 or 10%, for compute and transfer alike, or compute=, transfer= "
    "or node= and a share"
)


def _share(text: str, figure: str) -> float:
    try:
        share = float(figure.removesuffix("%")) / (100 if figure.endswith("%") else 1)
    except ValueError:
        raise UsageError(f"--jitter {text}: {_JITTER_RULE}") from None
    if not 0 <= share <= 10:
        raise UsageError(f"--jitter {text}: {_JITTER_RULE}")
    return share


@dataclass(frozen=True)
class Churn:
    """Nodes leave and return: exponential times, each node by itself.

    Parameters
    ----------
    mean_up_s
        Mean seconds for which a node stays.
    mean_down_s
        Mean seconds until it is back.
    """

    mean_up_s: float
    mean_down_s: float

    @classmethod
    def of(cls, text: str) -> Churn:
        """Read churn as it is given on the command line.

        Raises
        ------
        UsageError
            When it is none.

        Examples
        --------
        >>> Churn.of("3600/120")
        Churn(mean_up_s=3600.0, mean_down_s=120.0)
        """
        try:
            up_s, down_s = map(float, text.split("/"))
        except ValueError:
            raise UsageError(f"--churn {text}: {_CHURN_RULE}") from None
        if not (0 < up_s < math.inf and 0 < down_s < math.inf):
            raise UsageError(f"--churn {text}: {_CHURN_RULE}")
        return cls(up_s, down_s)

    @property
    def share_up(self) -> float:
        """Share of time for which a node is there."""
        return self.mean_up_s / (self.mean_up_s + self.mean_down_s)


_CHURN_RULE = (
    "must be two numbers above 0, UP/DOWN: mean seconds that a node stays and is away, such as 3600/120"
)


@dataclass(frozen=True)
class SimulationSettings:
    """Everything that a simulation depends on beside instance and plan.

    Parameters
    ----------
    rounds
        Rounds to simulate, each by itself; of segment_scheduling a round is a slot.
    seed
        Seed of all draws.
    jitter
        Noise on times.
    churn
        Nodes that leave and return; None: nobody does.
    absent
        What is done about a node that is away: ``wait``, ``replace`` or ``skip``; None: wait in
        layer_assignment, skip elsewhere.
    local_steps
        Of sparse_update: steps of a device before an aggregation; None is 1.
    deadline_s
        Deadline of a round; None: that of the instance, where it has one.
    """

    rounds: int = 1000
    seed: int = 0
    jitter: Jitter = Jitter()
    churn: Churn | None = None
    absent: str | None = None
    local_steps: int | None = None
    deadline_s: float | None = None

    def check(self, problem: Problem) -> None:
        """Refuse what is out of range or says nothing about the problem.

        Raises
        ------
        UsageError
            With the first fault.
        """
        if not 1 <= self.rounds <= MOST_ROUNDS:
            raise UsageError(f"--rounds {self.rounds}: must be from 1 to {MOST_ROUNDS}")
        if not 0 <= self.seed < 2**31:
            raise UsageError(f"--seed {self.seed}: must be from 0 to 2147483647")
        if self.deadline_s is not None and not 0 <= self.deadline_s < math.inf:
            raise UsageError(f"--deadline {self.deadline_s}: must be a finite number of seconds, at least 0")
        self._check_policy(problem)
        self._check_local_steps(problem)

    def _check_policy(self, problem: Problem) -> None:
        kind = kind_of(problem)
        if self.absent is None:
            return
        if self.absent not in _POLICIES[kind]:
            known = " or ".join(_POLICIES[kind])
            raise UsageError(f"--absent {self.absent}: must be {known} for a plan of {kind}")
        if self.churn is None:
            raise UsageError(f"--absent {self.absent}: nobody is away without --churn; give --churn UP/DOWN")

    def _check_local_steps(self, problem: Problem) -> None:
        if self.local_steps is None:
            return
        if problem.name != "sparse_update":
            raise UsageError(
                f"--local-steps {self.local_steps}: says nothing about {problem.name}; leave it out"
            )
        if self.local_steps < 1:
            raise UsageError(f"--local-steps {self.local_steps}: must be at least 1")

    def policy(self, problem: Problem) -> str:
        """What is done about a node that is away."""
        return self.absent or _POLICIES[kind_of(problem)][0]

    def to_document(self, problem: Problem) -> dict[str, Any]:
        """Return the settings as plain JSON values."""
        return {
            "rounds": self.rounds,
            "seed": self.seed,
            "jitter": vars(self.jitter),
            "churn": None if self.churn is None else vars(self.churn),
            "absent": None if self.churn is None else self.policy(problem),
            "local_steps": (self.local_steps or 1) if problem.name == "sparse_update" else None,
        }


def kind_of(problem: Problem) -> str:
    """Name the kind of plan: the problem, and of layer_assignment the schedule too."""
    schedule = f", {problem.instance.schedule}" if problem.name == "layer_assignment" else ""
    return problem.name + schedule
