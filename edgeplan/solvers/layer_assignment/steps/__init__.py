"""Runs on nodes as steps of a walk, and what each step costs, by schedule."""
