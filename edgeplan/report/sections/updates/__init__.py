"""Sections of sparse_update, one per file."""
