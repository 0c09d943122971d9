"""Necessary conditions, by arithmetic alone."""
