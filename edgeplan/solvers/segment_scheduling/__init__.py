"""Solvers of segment_scheduling: slots with proof, and the controller over time."""
