"""The plan as a circulation over pruned steps, and CP-SAT on it."""
