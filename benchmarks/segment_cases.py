"""Instances of the comparison of policies: two profiled encoders, clusters and fading drawn from seeds.

The first seed of a case is that of the file in instances/segment_scheduling, so its clusters and channels
are the file's own where the sizes agree; the others draw clusters, budgets and channels anew.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from edgeplan.models.segment_scheduling import SegmentScheduling
from edgeplan.models.segment_scheduling.generated import Size, generated

FOLDER = Path(__file__).parents[1] / "instances" / "segment_scheduling"


@dataclass(frozen=True)
class SegmentCase:
    """An encoder on so many clusters of so many devices.

    Parameters
    ----------
    name
        What the table calls it.
    file
        Instance whose encoder it is, without folder and ending.
    own_seed
        Seed of that file.
    num_clusters, num_devices
        Clusters, and devices of each.
    """

    name: str
    file: str
    own_seed: int
    num_clusters: int
    num_devices: int

    def seeds(self, count: int) -> list[int]:
        """Return so many seeds: the file's, then 1, 2, 3, ..."""
        others = [seed for seed in range(1, count + 1) if seed != self.own_seed]
        return [self.own_seed, *others][:count]

    def build(self, seed: int, num_slots: int, tradeoff: float | None = None) -> SegmentScheduling:
        """Draw the instance of a seed; V is that of the generator unless given."""
        size = Size(self.num_clusters, self.num_devices, max_micro_batches=16, num_slots=num_slots)
        document = generated(_document(self.file)["model"], size, seed=seed)
        if tradeoff is not None:
            document["control"]["tradeoff"] = tradeoff
        return SegmentScheduling.from_document(document)


@cache
def _document(file: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((FOLDER / f"{file}.json").read_text(encoding="utf-8"))
    return read


CASES = (
    SegmentCase("Transformer, 3 x 4", "transformer-3-clusters", 11, 3, 4),
    SegmentCase("BERT-base, 3 x 4", "bert-base-3-clusters", 7, 3, 4),
    SegmentCase("Transformer, 6 x 6", "transformer-3-clusters", 11, 6, 6),
    SegmentCase("BERT-base, 6 x 6", "bert-base-3-clusters", 7, 6, 6),
)
