"""What a round takes: bytes, seconds and memory of every client, equations (1) and (3) to (6)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClientCost:
    """A client's part in a round; seconds since the round began, None where it fits no window."""

    node: str
    local_steps: int
    batch_size: int
    memory_bytes: int
    bytes_in: int
    bytes_out: int
    transfer_in_s: float
    compute_start_s: float | None
    compute_s: float
    transfer_out_s: float | None
    end_s: float | None


@dataclass(frozen=True, slots=True)
class RoundCost:
    """A round of some clients; `time_s` is None where one of them fits no window."""

    clients: tuple[ClientCost, ...]
    time_s: float | None

    @property
    def bytes_moved(self) -> int:
        """Bytes down and up together."""
        return sum(client.bytes_in + client.bytes_out for client in self.clients)
