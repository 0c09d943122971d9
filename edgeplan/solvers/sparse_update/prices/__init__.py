"""Prices that take a cluster apart: the bound they prove, how they fall, and what they rule out."""
