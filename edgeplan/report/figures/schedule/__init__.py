"""Figures of segment_scheduling, one per file."""
