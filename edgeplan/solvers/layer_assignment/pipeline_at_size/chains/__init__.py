"""Chains of stages within a threshold: reachable ones, cheapest ones, all, and promising ones."""
