"""Time and memory over four decades of nodes, two of layers, and by case: ``python -m benchmarks.scaling``.

Each measurement runs in a fresh process, one after another. Time is that of solving to a proven gap,
0.5 % unless told otherwise, with reading beside it. Memory is the larger of two peaks: what getrusage says
of the solving process, and the resident memory of it and its back-ends together, read from /proc every
hundredth of a second. The sweeps take the case bar of at_size_instances.py, with limits that ask for ten
nodes, and are drawn in docs/figures/scaling.svg; ``--sweep cases`` takes every case, 100 layers on 100,000
nodes. Prints a Markdown table.
"""

# This process stays small on purpose: on Linux a child's peak begins at what its parent holds.
from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SCHEDULES = ("server", "peer", "gpipe", "1f1b")
NODES = (10, 32, 100, 316, 1_000, 3_162, 10_000, 31_623, 100_000)
LAYERS = (4, 10, 25, 50, 100, 200, 400)
CASES = ("bar", "many", "free", "equal", "types5", "fasttight")
LAYERS_OF_NODE_SWEEP, NODES_OF_LAYER_SWEEP = 100, 10_000
LAYERS_OF_CASES, NODES_OF_CASES = 100, 100_000
ROOT = Path(__file__).parents[1]
FIGURE = ROOT / "docs" / "figures" / "scaling.svg"
_PAGE_BYTES = 4096
_EVERY_S = 0.01
_KILL_AFTER_S = 120.0  # beyond the time limit

Point = dict[str, Any]


def points(schedules: tuple[str, ...], thin: int) -> Iterator[Point]:
    """Yield what to measure: the sweep over nodes, then that over layers, every `thin`-th size."""
    for schedule in schedules:
        for num_nodes in NODES[::thin]:
            yield _point("nodes", "bar", schedule, LAYERS_OF_NODE_SWEEP, num_nodes)
        for num_layers in LAYERS[::thin]:
            yield _point("layers", "bar", schedule, num_layers, NODES_OF_LAYER_SWEEP)


def cases(schedules: tuple[str, ...]) -> Iterator[Point]:
    """Yield every case of at_size_instances.py."""
    for schedule in schedules:
        for case in CASES:
            yield _point("cases", case, schedule, LAYERS_OF_CASES, NODES_OF_CASES)


def _point(sweep: str, case: str, schedule: str, num_layers: int, num_nodes: int) -> Point:
    return {"sweep": sweep, "case": case, "schedule": schedule, "layers": num_layers, "nodes": num_nodes}


def measured(point: Point, time_limit_s: float, gap: float) -> Point:
    """Measure one point in a fresh process."""
    asked = point | {"time_limit_s": time_limit_s, "gap": gap}
    child = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.scaling_point", json.dumps(asked)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    deadline, peak = time.monotonic() + time_limit_s + _KILL_AFTER_S, 0
    while child.poll() is None and time.monotonic() < deadline:
        peak = max(peak, sum(_resident_bytes(process) for process in _family(child.pid)))
        time.sleep(_EVERY_S)
    child.kill()
    output, _ = child.communicate()
    if child.returncode != 0:
        return point | {"status": f"ended with {child.returncode}", "peak_bytes": peak}
    figures: Point = json.loads(output)
    return point | figures | {"peak_bytes": max(peak, figures["peak_bytes"])}


def _family(process: int) -> list[int]:
    """Return the process and its descendants."""
    try:
        text = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii")
    except OSError:
        return [process]
    return [process, *(one for child in text.split() for one in _family(int(child)))]


def _resident_bytes(process: int) -> int:
    try:
        return _PAGE_BYTES * int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1])
    except OSError:  # ended meanwhile
        return 0


def table(rows: list[Point]) -> Iterator[str]:
    """Yield the Markdown table."""
    columns = "reading | solving | peak | status | objective | bound | gap | by"
    yield f"| case | schedule | layers | nodes | {columns} |"
    yield "| --- |" + " --- |" * 11
    for row in rows:
        gap = row.get("gap")
        cells = (
            row["case"],
            row["schedule"],
            row["layers"],
            f"{row['nodes']:,}",
            _seconds(row.get("reading_s")),
            _seconds(row.get("solving_s")),
            f"{row['peak_bytes'] / 2**20:,.0f} MiB",
            row["status"],
            _number(row.get("objective")),
            _number(row.get("bound")),
            "no bound" if gap is None else f"{100 * gap:.2g} %",
            row.get("solver", ""),
        )
        yield "| " + " | ".join(map(str, cells)) + " |"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} s"


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.7g}"


def main() -> None:
    """Measure every point, print the table and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--time-limit", type=float, default=60.0, help="seconds for each solve")
    parser.add_argument("--gap", type=float, default=0.005, help="relative gap at which a solve may end")
    parser.add_argument("--sweep", choices=("sizes", "cases"), default="sizes", help="what to measure")
    parser.add_argument("--only", choices=SCHEDULES, help="one schedule alone")
    parser.add_argument("--thin", type=int, default=1, help="take every n-th size alone")
    parser.add_argument("--out", type=Path, help="file for the measurements as JSON, written as they come")
    parser.add_argument("--figure", type=Path, default=FIGURE, help="file of the figure, svg or png")
    parser.add_argument("--draw", type=Path, help="measure nothing, read the measurements from this file")
    arguments = parser.parse_args()
    rows: list[Point] = json.loads(arguments.draw.read_text(encoding="utf-8")) if arguments.draw else []
    schedules = SCHEDULES if arguments.only is None else (arguments.only,)
    chosen = cases(schedules) if arguments.sweep == "cases" else points(schedules, arguments.thin)
    for point in () if arguments.draw else chosen:
        rows.append(measured(point, arguments.time_limit, arguments.gap))
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
        if arguments.out is not None:
            arguments.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print("\n".join(table(rows)))
    from benchmarks.provenance import provenance
    from benchmarks.scaling_figure import draw

    print(f"\n{provenance()}")
    if arguments.sweep == "sizes":
        draw(rows, arguments.figure)


if __name__ == "__main__":
    main()
