"""sparse_update: which layers and channels each device trains, and how the updates are aggregated.

Devices train replicas of one network data-parallel. Each trains the biases of the last layers, down to a
depth, and parts of their weights, as its memory and speed admit. What several devices trained is averaged
among them by an all-reduce, and told to the others by a broadcast.

Symbols and names
-----------------

=========== ================================================== ==========================================
symbol      meaning (unit)                                     name
=========== ================================================== ==========================================
l           layer, 1..L from input to output                   ``layers``
d           device                                             ``devices``
k_d         layers from the last on that d reaches             ``DevicePlan.depth``
r           share of a layer's input channels                  ``Option.ratio``
a_k         what depth k alone brings                          ``depth_contribution``
c_lr        what training a part of a layer brings             ``Option.contribution``
w_d         weight of a device                                 ``Device.weight``
G           devices that update a slice                        ``Updated.members``
g, q        members of an all-reduce, receivers of a broadcast
n           buffer of a collective (byte)                      ``num_bytes``
alpha       latency of a message (s)                           ``latency_s``
beta        seconds of a byte, ``8 / bit_per_s``
=========== ================================================== ==========================================

Programme
---------

Choose for every device a depth k_d and at most one option of each of the last k_d layers, to maximise

    contribution * sum_d w_d (a_(k_d) + sum of the chosen c_lr) - aggregation_s * (7)

(1) memory: ``base_bytes + bias_bytes over the last k_d layers + chosen memory_bytes <= memory_bytes(d)``
(2) step: ``batch_size (forward_flops of all layers + input_gradient_flops of layers strictly after the
    first of the last k_d + chosen weight_gradient_flops) / flops_per_s <= max_step_s``
(3) coverage: a layer is updated, at any ratio, by at least so many devices
(4) nested: with ``memory_bytes(a) < memory_bytes(b)``, b updates every layer that a does, at no less a ratio
(5) slices: a smaller ratio is a part of a larger. The channels between two neighbouring ratios in use, and
    the bias of a layer, are slices, each updated by one set of devices G; those without parameters do not
    count
(6) aggregation: a slice is averaged over its G by an all-reduce if ``|G| >= 2``, and told to the devices
    outside G by a broadcast; with ``fuse`` slices of the same G travel as one buffer
(7) seconds, one collective after another: an all-reduce takes ``2 (g - 1) alpha + 2 (g - 1) / g n beta``,
    a broadcast ``alpha + q n beta`` (flat) or ``ceil(log2(q + 1)) (alpha + n beta)`` (tree). On a general
    network alpha and beta are those of the slowest pair used
(8) all devices keep one order of the collectives
(9) a round executed, in which a device goes on to its next collective at once: an all-reduce begins when all
    members have ended theirs before it, a broadcast when its root has, and takes (7); its members have ended
    it then, the root of a broadcast alpha earlier, when its last message has left. The round takes the
    slowest device's steps and the last of these ends; never more than with the sum of (7), the objective's

With free collectives any set serves in which every slice lies in one all-reduce, whose members contain G
(those outside send zeros), and every other device gets it by one broadcast from a member; a slice of one
device needs no all-reduce.

Source: the decisions are those of DSparse, Peng et al., Journal of Computer Science and Technology 40(3),
2025, 637-653; sparse update is that of MCUNetV3, J. Lin et al., NeurIPS 2022, arXiv:2206.15472. The formal
problem is ours.
"""

from edgeplan.models.sparse_update.instance import SparseUpdateInstance as SparseUpdateInstance
from edgeplan.models.sparse_update.plan import SparsePlan as SparsePlan
from edgeplan.models.sparse_update.problem import SparseUpdate as SparseUpdate
