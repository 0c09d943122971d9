"""Bytes that must travel before a new plan can take the place of an old one.

A layer's state is its weights and its optimizer's state: (w + o) P bytes, w P with inference, rounded
up layer by layer. Gradients are computed anew. The owner of a layer is the only node that trains it, so
for every layer whose owner changes the new owner must receive the layer's state once, whatever both
plans exchange in every round:

- from the old owner, where it is still in the network;
- else the weights from another node or the server, with schedule serial: equation (6) brings the
  weights of all layers to every node that is visited, and to the server after each visit. The round's
  own transfers do not do this, D leaves out a node's own run;
- else, the weights of a pipeline's stage and the optimizer's state of any node that left, from a
  checkpoint outside the network. So also a layer that the old plan did not have.

Shared layers have no owner and travel with every round; what never changes, their frozen weights, is
taken as installed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from edgeplan.models.layer_assignment.plan import Plan
from edgeplan.models.layer_assignment.problem import LayerAssignment
from edgeplan.models.numbers import exactly
from edgeplan.models.replanned import Migration


@dataclass(frozen=True)
class _Move:
    """The state of one layer on its way to its new owner, by where it comes from."""

    from_owner_bytes: int = 0
    from_others_bytes: int = 0
    from_checkpoint_bytes: int = 0


def migration(problem: LayerAssignment, old: Plan, new: Plan) -> Migration:
    """Count what must move for `new` to take the place of `old`.

    Parameters
    ----------
    problem
        The instance of the new plan.
    old
        The plan until now, perhaps of another instance: its nodes may have left.
    new
        The plan to come.

    Examples
    --------
    >>> from edgeplan.models.layer_assignment.examples import two_layers_two_nodes
    >>> before = Plan.from_document({"stages": [{"node": "slow", "layers": ["conv", "head"]}]})
    >>> after = Plan.from_document(
    ...     {"stages": [{"node": "fast", "layers": ["conv"]}, {"node": "slow", "layers": ["head"]}]}
    ... )
    >>> change = migration(two_layers_two_nodes(), before, after)
    >>> change.moved_bytes, change.layers_moved, change.joined  # 1000 parameters of 4 + 8 bytes
    (12000, 1, ('fast',))
    """
    known, used = problem.instance.network.index_of, [stage.node for stage in old.stages]
    moves = list(_moves(problem, old, new))
    sums = {
        name: sum(getattr(move, name) for move in moves)
        for name in ("from_owner_bytes", "from_others_bytes", "from_checkpoint_bytes")
    }
    serving = [stage.node for stage in new.stages]
    return Migration(
        moved_bytes=sum(sums.values()),
        **sums,
        layers_moved=len(moves),
        stages_changed=sum(stage not in old.stages for stage in new.stages),
        left=tuple(node for node in used if node not in known),
        released=tuple(node for node in used if node in known and node not in serving),
        joined=tuple(node for node in serving if node not in used),
        kept=tuple(node for node in serving if node in used),
    )


def _moves(problem: LayerAssignment, old: Plan, new: Plan) -> Iterator[_Move]:
    """Yield a move for every layer with a new owner."""
    owner_before = {layer: stage.node for stage in old.stages for layer in stage.layers}
    parameters = {layer.name: layer.parameters for layer in problem.instance.model.layers}
    weights_elsewhere = _others_know_the_weights(problem, old)
    for stage in new.stages:
        for layer in stage.layers:
            owner = owner_before.get(layer)
            if owner != stage.node:
                known_elsewhere = weights_elsewhere and owner is not None
                yield _move(problem, parameters[layer], owner, known_elsewhere=known_elsewhere)


def _others_know_the_weights(problem: LayerAssignment, old: Plan) -> bool:
    """Whether the server, or a node that the old plan visited, is there and has all weights."""  # (6)
    if problem.is_pipeline:
        return False
    known = problem.instance.network.index_of
    return problem.server is not None or any(stage.node in known for stage in old.stages)


def _move(problem: LayerAssignment, parameters: int, owner: str | None, *, known_elsewhere: bool) -> _Move:
    training = problem.instance.training
    optimizer = 0 if training.pass_ == "inference" else exactly(training.optimizer_bytes)
    weights = exactly(training.weight_bytes) * parameters
    state = math.ceil(weights + optimizer * parameters)
    if owner in problem.instance.network.index_of:
        return _Move(from_owner_bytes=state)
    elsewhere = math.ceil(weights) if known_elsewhere else 0
    return _Move(from_others_bytes=elsewhere, from_checkpoint_bytes=state - elsewhere)
