"""PipeDream's profiles (SOSP 2019), read from a folder beside the repository, of which they are no part."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

PROFILES = Path(__file__).resolve().parents[2] / "shared" / "data" / "pipedream"

_LAYER = re.compile(
    r"node(?P<number>\d+) -- (?P<what>.*) -- forward_compute_time=(?P<forward>[\d.]+),"
    r" backward_compute_time=(?P<backward>[\d.]+), activation_size=(?P<activation>[\d.]+),"
)


def layers_of(model: str) -> list[dict[str, Any]]:
    """Return the layers of a profile as a chain in the order of its node numbers, without its input.

    FLOPs are milliseconds of a whole minibatch, for nodes of 1000 FLOP/s; skips the test where
    there is no profile.
    """
    path = PROFILES / model / "graph.txt"
    if not path.is_file():
        pytest.skip(f"PipeDream's profile of {model} is not there: {path}")
    found = [match for match in map(_LAYER.match, path.read_text().splitlines()) if match]
    found.sort(key=lambda match: int(match["number"]))
    return [
        {
            "name": f"node{match['number']}",
            "parameters": 0,
            "forward_flops": float(match["forward"]),
            "input_gradient_flops": 0,
            "weight_gradient_flops": float(match["backward"]),
            "output_bytes": int(float(match["activation"])),
            "saved_bytes": 0,
            "saved_frozen_bytes": 0,
        }
        for match in found
        if match["what"] != "Input"
    ]
