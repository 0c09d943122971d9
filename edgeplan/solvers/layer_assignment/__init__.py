"""Solvers of layer_assignment."""
