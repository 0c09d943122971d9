"""Prices by column generation: a linear programme over the choices that classes have made so far."""
