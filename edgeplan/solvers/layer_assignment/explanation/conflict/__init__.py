"""Limits that cannot hold together, and changes that mend them."""
