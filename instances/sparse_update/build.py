"""Build the instances of this folder: ``python instances/sparse_update/build.py``.

``tiny.json`` is the package's example with its arithmetic. ``mobilenetv2-7-devices.json`` is what `edgeplan
instance sparse_update --devices 7` measures, which trains a small MobileNetV2 first, about half a minute.
MCUNetV3's instances are made by `edgeplan generate sparse_update`, with its measured contributions as a file.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from edgeplan.models.sparse_update.examples import two_layers_two_boards

HERE = Path(__file__).parent
ARITHMETIC = [
    "small has room for one layer, large for both; depth 2 brings 0.2 to each",
    "small trains fc, large both: 2 + 0.2 and 3 + 0.2, together 5.4",
    "fc: 2,000 bytes averaged by two, 2 * 0.001 s + 1 * 2,000 bytes * 8e-6 s = 0.018 s",
    "conv: 2,000 bytes told by large, 0.001 s + 2,000 bytes * 8e-6 s = 0.017 s",
    "5.4 - 0.1 * 0.035 = 5.3965",
]


def main() -> None:
    """Write both files."""
    tiny = two_layers_two_boards().document
    notes = {"x-arithmetic": ARITHMETIC, "x-optimum": 5.3965}
    head = {name: tiny[name] for name in ("format", "problem", "name")}
    text = json.dumps(head | notes | {k: v for k, v in tiny.items() if k not in head}, indent=1)
    (HERE / "tiny.json").write_text(text + "\n", encoding="utf-8")
    measured = HERE / "mobilenetv2-7-devices.json"
    command = [
        sys.executable,
        "-m",
        "edgeplan",
        "instance",
        "sparse_update",
        "--devices",
        "7",
        "-o",
        measured,
    ]
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
