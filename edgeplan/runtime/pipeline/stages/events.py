"""What processes see of passes and messages, by name."""

from __future__ import annotations

FORWARD, BACKWARD = "forward", "backward"
"""A pass of a stage: its micro-batch, begin and end."""
SENT, RECEIVED = "sent", "received"
"""An end of a message: what it is, its micro-batch, its bytes, and the moment."""
UNCOUNTED = "uncounted"
"""A message that no equation counts, where it is sent: its bytes, and its target."""
ACTIVATION, GRADIENT, UPLOAD = "activation", "gradient", "upload"
"""What a message is."""
