"""Solvers: each method in a file of its own, each back-end imported only inside the file that needs it."""
