"""Instances of sparse_update from a real network: what every update takes and brings.

Memory is reckoned for the pruned form of the network (`edgeplan.runtime.sparse`), in evaluation mode:

- ``base_bytes``: parameters, buffers, the order of channels, the batch, and the most that a step holds for a
  while, what modules without a pruned form keep included (`edgeplan.runtime.sparse.measured.base_bytes`);
- ``bias_bytes``: masks of the layer's ReLUs; gradient and momentum of the bias;
- ``memory_bytes`` of an option: the trained copy of its weights and their momentum; the input channels that
  they read, or the gradient that takes their place, whichever is larger.

The sum is never below the peak of live tensors in a step. It is exact where nothing but the classifier is
trained, and else above the peak, as a sum has no time: what a step holds for a while is largest at the
first layers, and saved activations are most when the last layers run. Over 300 random updates of MobileNetV2
with 8 images of 32 x 32 it was 0 to 26 % too large, 9 % on average; with 32 images up to 44 %. Workspaces
inside an operator, the interpreter, and the buffers of an aggregation are not in it.

FLOPs are those of products of matrices, multiply-adds counted twice.
"""

from __future__ import annotations

from edgeplan.runtime.sparse.measured.base_bytes import base_bytes as base_bytes
from edgeplan.runtime.sparse.measured.contribution_file import read_contributions as read_contributions
from edgeplan.runtime.sparse.measured.contributions import Contributions as Contributions
from edgeplan.runtime.sparse.measured.contributions import probed as probed
from edgeplan.runtime.sparse.measured.document import Cluster as Cluster
from edgeplan.runtime.sparse.measured.document import Offer as Offer
from edgeplan.runtime.sparse.measured.document import build as build
from edgeplan.runtime.sparse.measured.gains import gained as gained
from edgeplan.runtime.sparse.measured.networks import of_module as of_module
from edgeplan.runtime.sparse.measured.networks import of_workload as of_workload
