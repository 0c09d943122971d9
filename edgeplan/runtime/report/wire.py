"""What left each node during the rounds, counted on the wire: parameters, and nothing that could be its data.

The switch of the kernel's emulation counts what streams between nodes carry, of which each executor knows the
planned parameters, and bounds what else keeps processes together. Not counted are the headers of frames,
heartbeats, which are datagrams, and the meetings at the supervisor's store, on links of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any


def wire_entry(
    node: str, *, wire_bytes: int, parameter_bytes: int, header_bytes: int, data_bytes: int
) -> dict[str, Any]:
    """Return what left a node, the parameters that should, most that headers may take, and its data."""
    return {
        "node": node,
        "wire_bytes": wire_bytes,
        "parameter_bytes": parameter_bytes,
        "header_bytes": header_bytes,
        "data_bytes": data_bytes,
    }


def leaks(entries: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield the nodes that sent more than parameters and headers.

    Examples
    --------
    >>> entry = wire_entry(
    ...     "pi", wire_bytes=90_000, parameter_bytes=70_000, header_bytes=4096, data_bytes=15_000
    ... )
    >>> list(leaks([entry])), list(leaks([entry | {"header_bytes": 20_000}]))
    (['pi: 20000 bytes left it that are no parameters, 4096 at most are headers'], [])
    """
    for entry in entries:
        beyond, most = entry["wire_bytes"] - entry["parameter_bytes"], entry["header_bytes"]
        if beyond > most:
            what = f"{beyond} bytes left it that are no parameters, {most} at most are headers"
            yield f"{entry['node']}: {what}"
