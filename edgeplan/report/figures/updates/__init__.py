"""Figures of sparse_update."""
