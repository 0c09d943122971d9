"""What groups cost at least, by their size alone: exactly that where all pairs of devices are alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeplan.models.network import Network
from edgeplan.models.sparse_update import SparseUpdateInstance
from edgeplan.solvers.sparse_update.choices.cluster import Array


@dataclass(frozen=True)
class SizePrices:
    """Prices of groups by size, in units of the objective.

    Parameters
    ----------
    fixed, per_byte
        Of groups of 0 devices and more; a group of none pays nothing.
    """

    fixed: Array
    per_byte: Array

    @classmethod
    def of(cls, instance: SparseUpdateInstance) -> SizePrices:
        """Price all sizes by (7), for the best pair of devices."""
        num, weight = len(instance.devices), instance.objective.aggregation_s
        latency_s, s_per_byte = _best_pair(instance)
        inside = np.arange(num + 1.0)
        hops = np.where(inside >= 2, 2 * (inside - 1), 0.0)
        outside = np.where(inside > 0, num - inside, 0.0)
        rounds = np.ceil(np.log2(outside + 1))
        told, copies = (
            (np.minimum(outside, 1.0), outside) if instance.broadcast == "flat" else (rounds, rounds)
        )
        fixed = latency_s * (hops + told)
        per_byte = s_per_byte * (hops / np.maximum(inside, 1) + copies)
        return cls(weight * fixed, weight * per_byte)

    def covering(self, *, shares_broadcasts: bool) -> SizePrices:
        """Return what sets that hold so many devices cost at least, being as large as they like.

        Parameters
        ----------
        shares_broadcasts
            Whether a broadcast may serve several sets, so that some pay no latency of their own.
        """
        zero, fixed = np.zeros(1), 0.0 if shares_broadcasts else float(self.fixed[1:].min())
        cheapest = np.minimum.accumulate(self.per_byte[:0:-1])[::-1]
        return SizePrices(
            np.concatenate([zero, np.full(len(cheapest), fixed)]), np.concatenate([zero, cheapest])
        )

    @property
    def jumps(self) -> Array:
        """Sizes from which on a larger group costs less and less more, up to the next."""
        bends = np.diff(self.per_byte, n=2) > 1e-12 * self.per_byte.max(initial=0.0)
        return np.flatnonzero(bends) + 1


def _best_pair(instance: SparseUpdateInstance) -> tuple[float, float]:
    """Latency and seconds of a byte that no pair of devices undercuts."""
    network = instance.network
    if not isinstance(network, Network):
        return network.latency_s, 8.0 / (network.bit_per_s or np.inf)
    latencies = sorted(node.latency_s for node in network.nodes)[:2]
    up = max(node.uplink_bit_per_s or np.inf for node in network.nodes)
    down = max(node.downlink_bit_per_s or np.inf for node in network.nodes)
    latency_s = min([sum(latencies), *(link.latency_s for link in network.links)])
    return latency_s, 8.0 / max([min(up, down), *(link.bit_per_s or np.inf for link in network.links)])
