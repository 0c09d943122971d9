"""layer_assignment: which node trains which layers, in which order.

Symbols and names
-----------------

======== ==================================================== ===========================================
symbol   meaning (unit)                                       name
======== ==================================================== ===========================================
l        layer, 0..L-1 in topological order                   ``model.layers``
F, I, W  forward, input-gradient, weight-gradient FLOPs       ``*_flops``, per sample
O        output (byte)                                        ``output_bytes``, per sample
A, A'    saved by autograd, trained or frozen (byte)          ``saved_bytes``, ``saved_frozen_bytes``
P        parameters                                           ``parameters``
i        node; s its speed (FLOP/s), M its memory (byte)      ``flops_per_s``, ``memory_bytes``
H, R     shared layers; the rest, in order                    ``shared_layers``, ``own_layers``
k        stage: one node i and its own layers S, a run of R   ``Plan.stages``
T        trained layers of a stage, S + (H if train_shared)   ``trained_layers``
d        first layer of T
B, E     batch size, local steps                              ``batch_size``, ``local_steps``
w g o f  bytes per parameter: weight, gradient, optimizer,    ``training.*_bytes``
         frozen weight
D        bytes that bring a node up to date (byte)            ``bytes_in``
N, b     micro-batches; samples of one, B / N                 ``micro_batches``, ``micro_batch_size``
f        micro-batches in flight at a stage                   ``in_flight``
X        output crossing a cut (byte per sample)              ``cut_bytes`` (times b)
t, u     stage and link time of one micro-batch (s)           ``compute_s``, ``Hop.seconds``
======== ==================================================== ===========================================

Programme
---------

Choose stages, in visiting order, to minimise
``w1 time_s + w2 energy_j + w3 price + w4 bottleneck_s`` subject to

(1) at least one stage; the stages' own layers are disjoint non-empty runs, each contiguous in R, and
    in stage order they make up R;
(2) a node serves at most one stage, the server none;
(3) ``pin``, ``forbid``, ``limits`` and a given ``node_order`` hold.

Schedule ``serial`` (Snake): the stages work one after another, the round is a cycle.

(4) memory: ``reserve + f P(outside T) + (w + g + o) P(T)
    + B (A(T) + A'(after d, not in T) + 2 max O) <= M``
(5) compute time: ``E B (F(all) + I(after d) + W(T)) / s``, or with measured timings
    ``E B (forward_s(all) + backward_s(T) + backward_s(after d, not in T) / 2)``
(6) bringing a node up to date moves ``D = w (P(R outside S) + (P(H) if train_shared))``: from the
    stage before (peer; the first stage from the last), or from the server, which then gets
    ``w P(T)`` back. With one stage in peer mode nothing moves.
(7) a stage starts when the one before has ended: transfer in, compute at the earliest time that fits
    one ``available_s`` window, transfer out. ``time_s`` is the end of the last stage,
    ``bottleneck_s`` the largest compute time.
(8) energy: ``compute_power_w`` x compute time + ``transmit_power_w`` of the sender x transfer time;
    price: ``price_per_s`` of a node x (its compute time + every transfer that it sends or receives).

Schedule ``pipeline``: the stages work at the same time, on N micro-batches of b samples. Stage k of K:

(9) memory: ``reserve + (w + g + o) P(S) + f b A(S) + 2 b O* <= M``, O* the largest O among S and the
    layer just before it; ``f = N`` for gpipe, ``min(N, K - k + 1)`` for 1f1b; inference:
    ``reserve + w P(S) + 2 b O*``
(10) stage time ``t = b (F + I + W over S) / s``, or b times the measured seconds of S (inference: F and
    forward_s alone); link time ``u = move(k -> k+1, b X) + move(k+1 -> k, b X)``, the way back in training
    alone; X is what the layers up to the cut hand to layers behind it
(11) ``time_s = sum t + sum u + (N - 1) bottleneck_s``; ``bottleneck_s`` is the largest t or u with
    `overlap`, else the largest ``u before + t + u after``. Energy is N times that of a micro-batch, a
    sender paying for what it sends; price is N times ``price_per_s (u before + t + u after)``.

What a run of schedule ``serial`` is predicted to reach, beside the limit (4) and limiting nothing:

(12) peak: the most that lives at once over a step, see `visit_peak`. With R the parameters, the optimizer's
    state and the batch, G(l) the gradients ``g P`` of T from layer l on, and A(l), A'(l) over layers up to l,
    it is ``R + B (A(l) in T + A'(l) after d, not in T) + G(l) + B (O + max(O, O read))`` when layer l runs
    backward, and by `step_memory` at the other moments. The peak of a backward pass never exceeds (4). The
    others can: (4) has no place for what a frozen layer before d has at hand, for the loss, for what the
    optimizer has at hand at its update, and for a batch that no trained layer saves.

A pipeline has no server and knows no windows; shared layers, transport and local steps have no effect.

Source: Snake Learning, X. Yu et al., IEEE Communications Magazine 2025, arXiv:2405.03372. The paper
names fine-grained layer assignment as an open problem and prints no programme; this one is ours.
"""

from edgeplan.models.layer_assignment.instance import LayerAssignmentInstance as LayerAssignmentInstance
from edgeplan.models.layer_assignment.plan import Plan as Plan
from edgeplan.models.layer_assignment.plan import Stage as Stage
from edgeplan.models.layer_assignment.problem import LayerAssignment as LayerAssignment
