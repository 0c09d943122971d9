"""Whether a threshold can be kept with each node serving once, up to mixtures of chains.

Prices on overused nodes: if some make every chain dearer than all nodes together, no plan keeps the
threshold. Overused nodes leave the front, and those that they dominated come forward.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from edgeplan.solvers.layer_assignment.pipeline_at_size.candidates import Candidates
from edgeplan.solvers.layer_assignment.pipeline_at_size.clock import Clock
from edgeplan.solvers.layer_assignment.pipeline_at_size.game import balance
from edgeplan.solvers.layer_assignment.pipeline_at_size.ground import Ground
from edgeplan.solvers.layer_assignment.pipeline_at_size.nodes import Bools, Floats, Ints
from edgeplan.solvers.layer_assignment.pipeline_at_size.priced import Chain, Charges, cheapest
from edgeplan.solvers.layer_assignment.pipeline_at_size.track import Track

_CERTAIN = 1e-9
_SPREAD = 1e-4
_SLACK = -0.1


@dataclass(frozen=True)
class Use:
    """What one chain uses.

    Parameters
    ----------
    classes
        Class of each stage.
    bottleneck_s
        The chain's bottleneck.
    """

    classes: Ints
    bottleneck_s: float


@dataclass(frozen=True)
class Prices:
    """Prices of the rules that chains may break; a chain pays for its stages and gets back `owed`.

    Parameters
    ----------
    classes
        Price of a stage, by class of the ground.
    per_stage
        Price of any stage, negative where more stages are asked for.
    owed
        What a plan's stages pay at most.
    """

    classes: Floats
    per_stage: float
    owed: float


@dataclass
class Scarcity:
    """Prices and chains, kept from one threshold to the next.

    Parameters
    ----------
    ground
        Classes of nodes.
    fewest, most
        Fewest and most stages; `most` None where the limit cannot bind.
    """

    ground: Ground
    fewest: int
    most: int | None
    clock: Clock
    priced: Bools = field(init=False)
    uses: list[Use] = field(default_factory=list)
    prices: Prices = field(init=False)

    def __post_init__(self) -> None:
        self.priced = np.zeros(len(self.ground.classes), dtype=np.bool_)
        self.prices = Prices(np.zeros(len(self.ground.classes)), 0.0, 0.0)

    def examine(self, threshold_s: float, stages_behind: Ints, *, rounds: int) -> bool:
        """Say whether prices rule the threshold out, with proof; False where they do not yet.

        The prices and chains found are kept: another call goes on from them.
        """
        known = [use for use in self.uses if use.bottleneck_s <= threshold_s]
        shares, rows, track = np.ones(0), np.zeros(0, dtype=np.int64), None
        if known:
            shares, _ = self._reprice(known, shares)
        for _ in range(rounds):
            if track is None:
                rows, track = self.track(threshold_s, stages_behind)
            found = cheapest(track, Charges(self.prices.classes[rows] + self.prices.per_stage))
            if not found.price - self.prices.owed <= _CERTAIN:
                return True
            use = self._use(track, found.chain(), rows)
            known.append(use)
            self.uses.append(use)
            if self._price_overused(use):
                track = None
            shares, value = self._reprice(known, shares)
            if value <= _SLACK:
                break
        return False

    def track(self, threshold_s: float, stages_behind: Ints) -> tuple[Ints, Track]:
        """Classes that chains within the threshold need, and their figures."""
        rows = self.ground.rows(self.ground.live(threshold_s), self.priced)
        assert rows is not None
        nodes = self.ground.classes.take(rows)
        alone = (self.priced | self.ground.rigid)[rows] & (nodes.copies == 1)
        candidates = Candidates(self.ground.field, nodes, alone, self.ground.is_ordered)
        return rows, Track(candidates, threshold_s, stages_behind, self.clock)

    def _use(self, track: Track, chain: Chain, rows: Ints) -> Use:
        nodes, runs, pairs = track.candidates.nodes, self.ground.field.runs, track.candidates.pairs
        times = [float(runs.compute_s(nodes.take([row]), start, end)[0]) for start, end, row in chain]
        for (_, cut, row), (_, _, follower) in pairwise(chain):
            times.append(float(pairs.of(row).seconds(runs.cut_bytes[cut])[follower]))
        return Use(rows[[row for _, _, row in chain]], max(times))

    def _price_overused(self, use: Use) -> bool:
        """Let classes that a chain overuses have a price; whether any is new."""
        classes, times = np.unique(use.classes, return_counts=True)
        over = classes[(times > self.ground.classes.copies[classes]) & ~self.priced[classes]]
        self.priced[over] = True
        return len(over) > 0

    def _reprice(self, known: list[Use], shares: Floats) -> tuple[Floats, float]:
        """Balance prices against the known chains; returns the chains' shares and the game's value."""
        classes = np.flatnonzero(self.priced)
        copies = self.ground.classes.copies[classes].astype(np.float64)
        entries = self._entries(known, classes, copies)
        begun = np.append(self.prices.classes[classes] * copies, [0.0, 0.0]) + _SPREAD
        old = np.append(shares, np.full(len(known) - len(shares), 1.0 / len(known)))
        found = balance(entries, begun, old)
        by_class = np.zeros(len(self.priced))
        by_class[classes] = found.prices[:-2] / copies
        for_more, for_fewer = found.prices[-2:] * (self.fewest > 1, self.most is not None)
        per_stage = for_fewer / (self.most or 1) - for_more / self.fewest
        self.prices = Prices(
            by_class, float(per_stage), float(by_class[classes] @ copies + for_fewer - for_more)
        )
        return found.shares, found.value

    def _entries(self, known: list[Use], classes: Ints, copies: Floats) -> Floats:
        """What each chain oversteps each class and the fewest and most stages by, relatively."""
        row_of = np.full(len(self.priced), len(classes))
        row_of[classes] = np.arange(len(classes))
        used = np.zeros((len(classes) + 1, len(known)))
        for column, use in enumerate(known):
            np.add.at(used[:, column], row_of[use.classes], 1.0)
        stages = np.array([len(use.classes) for use in known], dtype=np.float64)
        too_few = (self.fewest - stages) / self.fewest if self.fewest > 1 else np.full(len(known), -1.0)
        too_many = (stages - self.most) / self.most if self.most else np.full(len(known), -1.0)
        return np.concatenate([used[:-1] / copies[:, None] - 1, too_few[None], too_many[None]])
