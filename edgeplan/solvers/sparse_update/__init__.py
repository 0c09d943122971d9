"""Solvers of sparse_update."""
