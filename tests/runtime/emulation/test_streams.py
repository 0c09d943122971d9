from __future__ import annotations

import pytest

pytest.importorskip("torch")

from edgeplan.runtime.emulation.streams import Streams, payload_of

TCP, UDP = 6, 17
SYN, ACK = 0x02, 0x10
LAST = (1 << 32) - 1


def frame(
    number: int, num_bytes: int, *, ports: tuple[int, int] = (1, 2), flags: int = ACK, protocol: int = TCP
) -> bytes:
    """A frame of a TAP device, with 12 bytes of options in TCP's header."""
    ethernet = bytes(12) + b"\x08\x00"
    total = (52 + num_bytes).to_bytes(2, "big")
    internet = (
        bytes([0x45, 0]) + total + bytes(5) + bytes([protocol]) + bytes(2) + b"\x0a\xfd\0\1\x0a\xfd\0\2"
    )
    transport = b"".join(port.to_bytes(2, "big") for port in ports) + number.to_bytes(4, "big")
    transport += bytes(4) + bytes([0x80, flags]) + bytes(18)
    return bytes(10) + ethernet + internet + transport + bytes(num_bytes)


def test_only_payload_counts() -> None:
    assert payload_of(frame(0, 1448)) == Streams().fresh(frame(0, 1448)) == 1448
    assert payload_of(frame(0, 1448, protocol=UDP)) == Streams().fresh(frame(0, 1448, protocol=UDP)) == 0
    assert payload_of(bytes(10)) == Streams().fresh(bytes(10)) == 0


def test_what_is_sent_once_more_counts_once() -> None:
    streams = Streams()
    sent = [(100, 50), (150, 30), (100, 50), (150, 30), (170, 20), (190, 0), (189, 1), (100, 95)]
    assert [streams.fresh(frame(*one)) for one in sent] == [50, 30, 0, 0, 10, 0, 0, 5]


def test_streams_are_told_apart_by_their_ends_and_their_beginnings() -> None:
    streams = Streams()
    assert streams.fresh(frame(100, 50)) == 50
    assert streams.fresh(frame(100, 50, ports=(1, 3))) == 50
    assert streams.fresh(frame(99, 0, flags=SYN)) == 0
    assert streams.fresh(frame(100, 50)) == 50


def test_numbers_that_begin_anew_are_no_step_back() -> None:
    streams = Streams()
    assert [streams.fresh(frame(*one)) for one in ((LAST - 9, 20), (10, 5), (LAST - 9, 20))] == [20, 5, 0]
