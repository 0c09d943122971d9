"""Train a part of a network and keep only what that part needs.

In a sparse update the biases of the last layers are trained, and some weights among them: those that read
the most important input channels of their layers. PyTorch would keep the whole input of every layer behind
the first trained one, frozen or not. `prune` makes of a network one whose layers compute the same and keep
just the trained channels, and a bit an element at each ReLU::

    network = prune(module, layers, depth=16, ratios={"features.30": 0.25}, orders=orders)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    loss(network.module(batch)).backward()
    optimizer.step()
    network.write_back()

`traced_layers` finds the layers of a network and what a batch brings to each; `saved_bytes` says by these
what will be kept, and `count_saved_bytes` counts what is.

Source: sparse update is that of MCUNetV3, J. Lin et al., NeurIPS 2022, arXiv:2206.15472, which drops what
is not needed when a network is compiled.
"""

from __future__ import annotations

from edgeplan.extras import require

require("torch", purpose="edgeplan run")

from edgeplan.runtime.sparse.arithmetic import saved_bytes as saved_bytes  # noqa: E402
from edgeplan.runtime.sparse.channels import num_channels as num_channels  # noqa: E402
from edgeplan.runtime.sparse.counting import count_saved_bytes as count_saved_bytes  # noqa: E402
from edgeplan.runtime.sparse.layers import TracedLayer as TracedLayer  # noqa: E402
from edgeplan.runtime.sparse.layers import TrainableLayer as TrainableLayer  # noqa: E402
from edgeplan.runtime.sparse.network import PrunedNetwork as PrunedNetwork  # noqa: E402
from edgeplan.runtime.sparse.network import SlicedLayer as SlicedLayer  # noqa: E402
from edgeplan.runtime.sparse.pruning import prune as prune  # noqa: E402
from edgeplan.runtime.sparse.tracing import traced_layers as traced_layers  # noqa: E402
