"""Instances without a plan: the limits to blame, the smallest changes that help, and a second reason."""
