"""Why an instance has no plan, or what holds a plan back and what a change would buy.

Everything that says what a change would do rests on a solve of the changed instance; what such a solve
did not settle is said to be open.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from edgeplan.models.fields import ANY_ARRAY, Count, Document, Name, NonNegative
from edgeplan.models.result import Figure, SolverInfo, Status

Pointers = Annotated[tuple[str, ...], ANY_ARRAY]


class Condition(Document):
    """A necessary condition that arithmetic alone decides."""

    rule: Name
    """Name of the rule, such as `layer_memory`."""
    pointers: Pointers
    """The limits in the instance."""
    need: Figure
    """What every plan needs at least."""
    have: Figure
    """What there is."""
    holds: bool
    """Whether it is enough; if not, no plan exists."""
    message: str
    """The same in one sentence."""


class Blamed(Document):
    """A limit, or a group of like limits, of a set that cannot hold together."""

    pointers: Pointers
    """The limits in the instance."""
    have: Figure
    """Value that the instance gives; null for a group."""
    needed: bool | None
    """Whether the others of the set agree without this one, re-solved; null if that is open."""
    message: str
    """The limit in words."""


class Relaxation(Document):
    """A change of one limit that gives the instance a plan, found by solving it so."""

    pointers: Pointers
    """The limit in the instance."""
    have: Figure
    """Value that the instance gives."""
    change_to: Figure
    """Value with which a plan exists; null where the limit must be dropped."""
    share: NonNegative
    """Size of the change relative to the value; 1 for a limit that is dropped."""
    smallest: bool
    """Whether it is proven that no smaller change does."""
    objective: float | None
    """Objective of a plan found under the change; null if a plan exists whose objective has no value."""
    message: str
    """The same in one sentence."""


class LimitUse(Document):
    """A limit on the whole plan, and how much of it the plan uses."""

    pointer: str
    """The limit in the instance."""
    have: float
    """The limit."""
    used: float
    """What the plan takes of it."""
    slack: float
    """How far the plan is from the limit."""
    binds: bool
    """Whether there is no slack."""
    message: str
    """The same in words."""


class NodeUse(Document):
    """A used node: how loaded it is, and what is left of its memory and time."""

    node: Name
    """Id of the node."""
    layers: Count
    """Layers that it owns."""
    compute_s: NonNegative
    """Seconds of computing, all micro-batches together."""
    memory_bytes: Count
    """Memory that its stage needs."""
    memory_budget_bytes: Count
    """Memory that it has."""
    memory_free_bytes: int
    """What is left."""
    memory_free_share: float
    """What is left, as a share of what it has."""
    holds_another_layer: bool | None
    """Whether it could take over a layer from a neighbour stage; null without a neighbour."""
    window_slack_s: float | None
    """Seconds from the end of computing to the end of its window; null if it is always available."""


class LinkUse(Document):
    """A used link, in one direction."""

    source: Name
    """Id of the sender."""
    target: Name
    """Id of the receiver."""
    num_bytes: Count
    """Bytes that the plan sends over it."""
    seconds: NonNegative
    """Seconds that they take."""
    latency_s: NonNegative
    """Seconds of these that are latency."""
    rate_bit_per_s: float | None
    """Its rate; null if unlimited."""
    limited_by: Literal["uplink", "downlink", "both", "link", "latency"]
    """Whose rate it is: the sender's uplink, the receiver's downlink, both alike, or a link of its own."""
    pointers: Pointers
    """Rates in the instance that must rise for a higher one; empty if it is unlimited."""


class Outcome(StrEnum):
    """What re-solving a changed instance settled."""

    SETTLED = "settled"
    """Both optima are proven: the gain is exact."""
    AT_LEAST = "at_least"
    """A gain is proven, its size is not."""
    OPEN = "open"
    """What is best known falls by the gain shown; nothing is proven."""
    NOT_TRIED = "not_tried"
    """Time ran out before it was solved, and the plan as it is gains nothing."""


class WhatIf(Document):
    """A change of the instance, and what it would buy."""

    change: str
    """The change in words."""
    kind: Literal["memory", "rate", "speed", "node", "limit"]
    """What it is a change of."""
    pointers: Pointers
    """What it changes in the instance; for a new node, the one that is copied."""
    outcome: Annotated[Outcome, Field(strict=False)]
    """What is settled."""
    solved: bool = False
    """Whether the changed instance was solved anew; if not, what is known is the plan as it is."""
    objective: float | None = None
    """Best objective known of the changed instance; null if not tried."""
    bound: float | None = None
    """Proven bound on it."""
    gain: float | None = None
    """By how much the best objective known falls."""
    gain_share: float | None = None
    """The same, relative to the objective before."""
    gain_at_least: float | None = None
    """Proven least fall of the optimum."""
    gain_at_most: float | None = None
    """Proven largest fall of the optimum; null without a bound."""
    plan: dict[str, Any] | None = None
    """The better plan, where there is a gain; a new node has an id of its own."""
    message: str
    """What it would buy, in words."""


class Explanation(Document):
    """The answer of `explain`."""

    format: Literal["edgeplan/1"] = "edgeplan/1"
    """Version of the wire format."""
    problem: Name
    """Name of the problem."""
    instance_sha256: str
    """Hash of the instance."""
    status: Annotated[Status | None, Field(strict=False)]
    """What is known of the instance; null where the plan given breaks its rules and nothing was solved."""
    headline: str
    """The answer in one sentence."""
    detail: str | None = None
    """What limits the answer."""
    conditions: Annotated[tuple[Condition, ...], ANY_ARRAY] = ()
    """Necessary conditions, those that fail first."""
    conflict: Annotated[tuple[Blamed, ...], ANY_ARRAY] = ()
    """Limits that cannot hold together."""
    conflict_verified: bool = False
    """Whether re-solving confirmed that they cannot, and that each of them is needed."""
    relaxations: Annotated[tuple[Relaxation, ...], ANY_ARRAY] = ()
    """Single changes that give the instance a plan, the smallest first."""
    violations: Annotated[tuple[dict[str, Any], ...], ANY_ARRAY] = ()
    """Rules that the plan given breaks, as `check` writes them; then nothing else is said of it."""
    plan: dict[str, Any] | None = None
    """The plan that is explained: the one given, or the best found."""
    plan_objective: float | None = None
    """Its objective."""
    objective: float | None = None
    """Best objective known, to which changes are compared."""
    bound: float | None = None
    """Proven bound on it."""
    gap: float | None = None
    """Relative distance of the two."""
    limits: Annotated[tuple[LimitUse, ...], ANY_ARRAY] = ()
    """Limits on the whole plan, those without slack first."""
    nodes: Annotated[tuple[NodeUse, ...], ANY_ARRAY] = ()
    """Used nodes in stage order."""
    links: Annotated[tuple[LinkUse, ...], ANY_ARRAY] = ()
    """Used links in the order of use."""
    most_loaded_node: str | None = None
    """The node that computes longest."""
    most_loaded_link: Annotated[tuple[str, str], ANY_ARRAY] | None = None
    """Sender and receiver of the link that sends longest."""
    what_if: Annotated[tuple[WhatIf, ...], ANY_ARRAY] = ()
    """Changes and what they would buy, the best first."""
    solver: SolverInfo
    """Which solver was asked."""
    interrupted: bool = False
    """Whether the user ended it, so that some questions were not asked."""
    solves: Count = 0
    """How many instances were solved for this."""
    runtime_s: NonNegative
    """Wall-clock seconds."""

    def to_document(self) -> dict[str, Any]:
        """Return the explanation as plain JSON values."""
        return self.model_dump(mode="json")
