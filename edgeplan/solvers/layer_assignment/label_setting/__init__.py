"""Exact dynamic programmes: labels on (position, last node, used nodes by type), dominated ones dropped."""
