"""What the server and its clients meet for, and what clients tell of."""

CONNECT = "connect"
CALIBRATE = "calibrate"
HOLD = "hold"
MEMORY = "memory"
PROBE = "probe"
ENDED = "ended"


def of_round(index: int) -> str:
    """Return the occasion of a round, counted from 0."""
    return f"round-{index}"
