"""What a frame carries: payload of a TCP stream, which TCP may send more than once."""

from __future__ import annotations

import struct

HEADER = struct.Struct("=BBHHHH")  # virtio_net_hdr, before a frame of a TAP device
ETHERNET = 14

_INTERNET = HEADER.size + ETHERNET
_TCP, _SYN = 6, 0x02
_TURN = 1 << 32  # after which sequence numbers begin anew


def payload_of(frame: bytes) -> int:
    """Bytes of TCP payload in a frame that a TAP device gave, however many segments it has; 0 for others."""
    if not _is_of_stream(frame):
        return 0
    total, start = int.from_bytes(frame[_INTERNET + 2 : _INTERNET + 4], "big"), _transport(frame)
    return max(0, total - (start - _INTERNET) - 4 * (frame[start + 12] >> 4))


def _is_of_stream(frame: bytes) -> bool:
    is_internet = len(frame) >= _INTERNET + 40 and frame[_INTERNET - 2 : _INTERNET] == b"\x08\x00"
    return is_internet and frame[_INTERNET + 9] == _TCP


def _transport(frame: bytes) -> int:
    """Return where the header of TCP begins."""
    return _INTERNET + 4 * (frame[_INTERNET] & 15)


class Streams:
    """Streams between nodes, by their ends, and how far each has come."""

    def __init__(self) -> None:
        self._reached: dict[bytes, int] = {}

    def fresh(self, frame: bytes) -> int:
        """Bytes by which a frame takes its stream farther: what TCP sends once more counts once.

        Parameters
        ----------
        frame
            As a TAP device gave it.
        """
        if not _is_of_stream(frame):
            return 0
        start, num_bytes = _transport(frame), payload_of(frame)
        ends = frame[_INTERNET + 12 : _INTERNET + 20] + frame[start : start + 4]
        if frame[start + 13] & _SYN:  # another stream between the same ends
            self._reached.pop(ends, None)
        if not num_bytes:
            return 0
        number = int.from_bytes(frame[start + 4 : start + 8], "big")
        farther = (number + num_bytes - self._reached.get(ends, number)) % _TURN
        if farther >= _TURN // 2:  # behind what was sent before
            return 0
        self._reached[ends] = (number + num_bytes) % _TURN
        return farther
