"""The pipelined batch: what each stage and link takes and how long the batch is, equation (11)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from edgeplan.models.layer_assignment.pipeline_figures import PipelineFigures
from edgeplan.models.layer_assignment.plan_cost import PlanCost, Visit, VisitCost


@dataclass(frozen=True, slots=True)
class Hop:
    """The link between two stages for one micro-batch: activations one way, gradients back (s, byte)."""

    forward_s: float = 0.0
    backward_s: float = 0.0
    num_bytes: int = 0

    @property
    def seconds(self) -> float:
        """Time of both directions, u."""
        return self.forward_s + self.backward_s


def batch_cost(figures: PipelineFigures, visits: Sequence[Visit]) -> PlanCost:
    """Cost a batch.

    Parameters
    ----------
    figures
        The instance's equations (9) and (10).
    visits
        At least one stage, in pipeline order.
    """  # (11)
    instance, num_micro_batches = figures.instance, figures.instance.micro_batches
    nodes = [instance.network.nodes[visit.node] for visit in visits]
    hops = [Hop(), *(hop_between(figures, *pair) for pair in pairwise(visits)), Hop()]
    computing = [figures.compute_s(node, visit.own_layers) for node, visit in zip(nodes, visits, strict=True)]
    busy = [hops[k].seconds + computing[k] + hops[k + 1].seconds for k in range(len(visits))]
    longest = max(*computing, *(hop.seconds for hop in hops)) if instance.overlap else max(busy)
    filling_s = sum(computing) + sum(hop.seconds for hop in hops)
    time_s = filling_s + (num_micro_batches - 1) * longest
    energy_j = sum(
        node.compute_power_w * computing[k]
        + node.transmit_power_w * (hops[k].backward_s + hops[k + 1].forward_s)
        for k, node in enumerate(nodes)
    )
    price = sum(node.price_per_s * busy[k] for k, node in enumerate(nodes))
    stages = tuple(
        VisitCost(
            visit=visit,
            memory_bytes=figures.memory_bytes(visit.own_layers, len(visits) - k),
            compute_s=num_micro_batches * computing[k],
            transfer_in_s=num_micro_batches * hops[k].seconds,
            transfer_out_s=num_micro_batches * hops[k + 1].seconds,
            bytes_in=num_micro_batches * hops[k].num_bytes,
            bytes_out=num_micro_batches * hops[k + 1].num_bytes,
            start_s=0.0,
            compute_start_s=0.0,
            end_s=time_s,
        )
        for k, visit in enumerate(visits)
    )
    return PlanCost(
        visits=stages,
        time_s=time_s,
        energy_j=num_micro_batches * energy_j,
        price=num_micro_batches * price,
        bottleneck_s=longest,
        bytes_moved=sum(stage.bytes_out for stage in stages),
    )


def hop_between(figures: PipelineFigures, before: Visit, after: Visit) -> Hop:
    """Return the link from one stage to the next; with inference nothing comes back."""  # (10)
    network = figures.instance.network
    source, target = network.nodes[before.node].id, network.nodes[after.node].id
    num_bytes = figures.cut_bytes[after.own_layers[0]]
    forward_s = network.transfer_s(source, target, num_bytes)
    if not figures.is_training:
        return Hop(forward_s, 0.0, num_bytes)
    return Hop(forward_s, network.transfer_s(target, source, num_bytes), 2 * num_bytes)
