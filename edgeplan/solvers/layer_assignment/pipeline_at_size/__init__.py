"""Pipelines at size: nodes as columns, runs one chunk at a time, thresholds on the bottleneck.

A bound lets a node serve several stages; a plan may not. Where many nodes are good both meet, where few
are good prices on the scarce ones bring them closer.
"""
