"""Differential privacy of what a node sends: DP-SGD on its own samples, and the guarantee that it gives.

The mechanism is that of Abadi et al. (CCS 2016, arXiv 1607.00133) by Opacus (arXiv 2109.12298): in every
local step each of the node's samples takes part with probability q (Poisson sampling), its gradient is
clipped to norm C, and noise of standard deviation sigma C is added to their sum. The parameters that a node
sends are computed from such sums, public figures and what others have sent, so they have the guarantee of
the sampled Gaussian mechanism, composed over all steps of the node. Two sets of samples are neighbours if one
has a sample more.
"""
