"""A round of sparse_update, event by event."""

from __future__ import annotations

import math

from drawn_rounds import Draws, Outcome
from event_loop import Name, Process, Sleep, Until, World

from edgeplan.models.sparse_update import SparsePlan, SparseUpdate
from edgeplan.models.sparse_update.collectives import key_of
from edgeplan.models.sparse_update.network import CollectiveCosts
from edgeplan.simulation.attempts import MOST_ATTEMPTS
from edgeplan.simulation.chance import Drawn
from edgeplan.simulation.presence import Presence


def update_round(
    problem: SparseUpdate, plan: SparsePlan, draws: Draws, presences: dict[Name, Presence]
) -> Outcome:
    """One round; one network for all devices. `presences` are by device, each with a lane a round."""
    cost, devices = problem.cost(plan), problem.instance.devices
    speed, policy = draws.speed(len(devices)), draws.settings.policy(problem)
    factors = draws.factor(Drawn.COMPUTE, shape=(len(devices),))
    world, outcome, ends = World(presences, draws.round), Outcome(), dict[str, float]()

    def device(d: int) -> Process:
        took = (draws.settings.local_steps or 1) * cost.device_costs[d].step_s * speed[d] * factors[d]
        for _ in range(MOST_ATTEMPTS if policy == "wait" else 1):
            if policy == "skip" and not world.there(d):
                break
            yield Until(lambda: world.there(d))
            left = yield Sleep(world.now + took, (d,))
            if not left:
                ends[devices[d].id] = world.now
                return
            outcome.lost += 1
        outcome.skipped += policy == "skip"
        if policy == "wait":
            ends[devices[d].id] = math.inf

    world.run(*(device(d) for d in range(len(devices))))
    if not ends:
        return outcome
    costs, position = CollectiveCosts(problem.instance), 0
    free = dict.fromkeys(ends, 0.0)
    averaging = {key_of(s): one for one in cost.collectives if one.kind == "all_reduce" for s in one.slices}
    sizes = {key_of(one.slice): one.parameters for one in cost.updated}
    for one in cost.collectives:
        if len(one.members) < 2:
            continue
        num_bytes = problem.instance.training.gradient_bytes * sum(
            sizes.get(key_of(s), 0) for s in one.slices
        )
        left = [name for name in one.members if name in ends]
        noise = draws.factor(Drawn.TRANSFER, position)
        if one.kind == "all_reduce" and len(left) > 1:
            taken = costs.all_reduce(left, num_bytes)
            end = max(free[name] for name in left) + taken.seconds * noise
            free |= dict.fromkeys(left, end)
            outcome.bytes_moved += taken.bytes_moved
        elif one.kind == "broadcast":
            known = averaging.get(key_of(one.slices[0]))
            roots = [name for name in (known.members if known else [one.root]) if name in ends]
            receivers = [name for name in left if name != one.root]
            if roots and receivers:
                taken = costs.broadcast(str(roots[0]), receivers, num_bytes)
                begin = free[one.root] if one.root in free else max(free[name] for name in roots)
                end = begin + taken.seconds * noise
                free |= {name: max(free[name], end) for name in receivers}
                if one.root in free:
                    free[one.root] = end - noise * costs.broadcast_latency_s(str(roots[0]), receivers)
                outcome.bytes_moved += taken.bytes_moved
        position += 1
    outcome.time_s = max(ends.values()) + max(free.values())
    return outcome
