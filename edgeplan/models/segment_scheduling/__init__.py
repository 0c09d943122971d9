"""segment_scheduling: encoder segments, micro-batches, bandwidth and power, slot by slot.

Clusters of devices train the encoder of a Transformer as pipelines over device-to-device (D2D) links; each
cluster's control unit uploads the cluster's encoder to an edge server that holds the decoder. In every
slot a controller that knows the channel gains and its queues decides for all clusters together.

Symbols and names
-----------------

=========== ================================================== ==========================================
symbol      meaning (unit)                                     name
=========== ================================================== ==========================================
l           encoder block, 0..L-1                              ``model.layers``
F + I + W   FLOPs of a block, per sample                       ``block_flops``
O           output of a block (byte per sample)                ``output_bytes``
A           what autograd keeps (byte per sample)              ``saved_bytes``
theta       parameters of a block                              ``parameters``
n, j        cluster; stage 1..J of its pipeline                ``clusters``, ``stages``
S_j         blocks of stage j, a run                           ``StagePlan.layers``
b           samples of a micro-batch                           ``micro_batch_size``
m           micro-batches of a cluster                         ``micro_batches``
w, p        band (Hz) and power (W) of a hop                   ``bandwidth_hz``, ``power_w``
B, P        band (Hz) and power (W) of an uplink               ``uplink.bandwidth_hz``, ``uplink.power_w``
g           channel gain                                       ``Gains.d2d``, ``Gains.uplink``
N0          noise density (W/Hz)                               ``noise_w_per_hz``
t, c        stage and transfer time of a micro-batch (s)       ``compute_s``, ``transfer_s``
U           time of the parameters' upload (s)                 ``upload_s``
T_n, T      time of a cluster, of the slot (s)                 ``latency_s``
E_k         energy of a device or control unit (J)             ``energy_j``
G           gradient noise                                     ``noise``
Q_k, Z      queues of energy and of noise                      ``Queues``
V           price of time (1/s)                                ``control.tradeoff``
=========== ================================================== ==========================================

Programme of one slot
---------------------

Per cluster choose an order of distinct devices, a cut of the blocks into J non-empty runs, the number m of
micro-batches, and bands and powers, to minimise

    V T + sum_k (Q_k / budget_k^2) E_k + (Z / noise_budget^2) G

(1) stage time of a micro-batch: ``t_j = overhead + b (F + I + W over S_j) / flops_per_s``
(2) hop j < J: ``r_j = w_j log2(1 + p_j g_j / (N0 w_j))``, ``c_j = 2 * 8 b O(last block of S_j) / r_j``: the
    activation and the gradient back, at the gain and the energy of the device that sends the activation
(3) uplink: ``R = B log2(1 + P g / (N0 B))``, ``c_J = 2 * 8 b O(last block) / R`` is the last stage of the
    pipeline; the parameters follow once, ``U = 8 weight_bytes theta(all) / R``
(4) ``T_n = embedding + sum_j (t_j + c_j) + (m - 1) max_j max(t_j, c_j) + decoder m + U``, ``T = max_n T_n``
(5) ``E_j = m (compute_power_w t_j + p_j c_j)`` for a device (idle: 0; the last sends nothing),
    ``E_n = P (m c_J + U)`` for a control unit
(6) memory: ``(weight + gradient + optimizer bytes) theta(S_j) + f b A(S_j) <= memory_bytes``, f = m for
    gpipe and ``min(m, 2 (J - j + 1))`` for 1f1b
(7) ``sum_j w_j <= d2d_bandwidth_hz`` in a cluster, ``sum_n B_n <= uplink_bandwidth_hz``,
    ``p_j <= max_power_w``, ``P <= uplink_max_power_w``; 0 bits take no time, energy or band
(8) ``G = noise_level / (b sum_n m_n)``, the term of the convergence bound
    ``2 (F0 - F*) / (eta T) + (1/T) sum_t G(t) + const`` that the decisions move

Between slots: ``Q_k <- max(0, Q_k + E_k - budget_k)``, ``Z <- max(0, Z + G - noise_budget)``.

What is solved is the controller's problem: every slot for the queues that it meets. The objective of a
horizon is the sum of the slots' objectives and its bound the sum of the slots' bounds, both along this
trajectory; runs are compared by mean latency, budgets and the offline bound, never by objective.

Source: the decisions and the method are those of CollaPipe and its DSSDA, J. Chen et al., 2025,
arXiv:2509.19855, whose abstract gives no equations; the formulas are ours, of the kind usual in mobile edge
computing. Control: M. Neely, Stochastic Network Optimization, 2010, DOI 10.2200/S00271ED1V01Y201006CNT007.
"""

from edgeplan.models.segment_scheduling.channels import Gains as Gains
from edgeplan.models.segment_scheduling.instance import SegmentSchedulingInstance as SegmentSchedulingInstance
from edgeplan.models.segment_scheduling.plan import SegmentPlan as SegmentPlan
from edgeplan.models.segment_scheduling.plan import SlotPlan as SlotPlan
from edgeplan.models.segment_scheduling.problem import SegmentScheduling as SegmentScheduling
from edgeplan.models.segment_scheduling.queues import Queues as Queues
