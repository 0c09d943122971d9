"""Layers for sparse updates: their autograd functions keep what the trained channels need, and no more."""

from edgeplan.runtime.sparse.pruned.activation import PrunedReLU as PrunedReLU
from edgeplan.runtime.sparse.pruned.activation import PrunedReLU6 as PrunedReLU6
from edgeplan.runtime.sparse.pruned.batch_norm import FrozenBatchNorm as FrozenBatchNorm
from edgeplan.runtime.sparse.pruned.convolution import PrunedConv2d as PrunedConv2d
from edgeplan.runtime.sparse.pruned.convolution import PrunedDepthwiseConv2d as PrunedDepthwiseConv2d
from edgeplan.runtime.sparse.pruned.layer import PrunedLayer as PrunedLayer
from edgeplan.runtime.sparse.pruned.linear import PrunedLinear as PrunedLinear
