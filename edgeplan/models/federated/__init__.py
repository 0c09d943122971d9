"""Federated averaging on the nodes of a layer_assignment instance: a schedule, and what it takes.

A schedule is given, not chosen: for every round which clients take part, how many local steps of which batch
each of them takes, and what its update counts. The model, network and training sections are those of a
layer_assignment instance with schedule serial; its equations (4) and (5) hold with everything trained.

Symbols and names
-----------------

======== ==================================================== ===========================================
symbol   meaning (unit)                                       name
======== ==================================================== ===========================================
r        round, in the order of the schedule                  ``FederatedSchedule.rounds``
S        clients that take part in a round                    ``Round.clients``
h        the server, where parameters are averaged            ``server``
B, E     batch size and local steps of a client in a round    ``batch_size``, ``local_steps``
a        what its update counts: its samples, or as given     ``weight``
b        batch size of the instance's training section        ``Training.batch_size``
p        share of a step with b samples that is there with    ``fixed_share``
         any batch: launches of kernels, the optimizer
w, P     bytes of a weight; parameters of all layers          ``weight_bytes``, ``parameters``
l, c     latency (s) and rate (bit/s) between h and a client  ``Network.latency_and_rate``
U, D     uplink and downlink of the server (bit/s)            ``uplink_bit_per_s``, ``downlink_bit_per_s``
======== ==================================================== ===========================================

A round
-------

(1) bytes: ``w P`` from the server to every client of S, and ``w P`` back. Who sits a round out neither
    receives nor sends: with its next round it receives the parameters of then.
(2) fair sharing: what moves between server and clients at the same time shares the server's link. At every
    moment a transfer has the rate ``min(c, f)``, f the largest with which all of them together stay within U
    on the way down, within D on the way up (max-min fairness). A pair with an entry in `links` has a link of
    its own, and shares nothing.
(3) the way down: all transfers to S begin at time 0. The last bit of one leaves the server when its rates by
    (2) have moved ``8 w P`` bits, and arrives l later.
(4) computing begins when everything has arrived, at the earliest time that fits one `available_s` window,
    and takes ``E (p b + (1 - p) B) t``. A sample's time t is ``(F + W over all layers + I after the first)
    / s``, or the node's measured seconds: with B = b or p = 0 this is equation (5) of layer_assignment.
(5) the way up begins when computing ends. Its first bit reaches the server's link l later; the update has
    arrived when the rates by (2) have moved ``8 w P`` bits. ``time_s`` is when the last one has.
(6) memory: ``reserve + (w + g + o) P + B (A over all layers + 2 max O)``, equation (4) of layer_assignment,
    within the node's.
(7) averaging: the new parameters are ``sum a x / sum a`` over the updates x that have arrived, in double
    precision. The schedule has no time for averaging and scoring; the next round begins after them.

Sources: federated averaging, McMahan et al., AISTATS 2017, arXiv:1602.05629; max-min fairness, Bertsekas and
Gallager, Data Networks, 1992, section 6.5.2.
"""

from edgeplan.models.federated.round_cost import ClientCost as ClientCost
from edgeplan.models.federated.round_cost import RoundCost as RoundCost
from edgeplan.models.federated.schedule import KIND as KIND
from edgeplan.models.federated.schedule import Client as Client
from edgeplan.models.federated.schedule import FederatedSchedule as FederatedSchedule
from edgeplan.models.federated.schedule import Round as Round
from edgeplan.models.federated.stated import StatedSchedule as StatedSchedule
