"""How fast slots are decided, beside CVXPY and as they grow: ``python -m benchmarks.segment_speed``.

``--part structure``: fixed structures (equal segments on all devices), one convex programme a slot: our
kernel beside CVXPY with Clarabel, stated anew for every slot, compiled once with parameters, and Clarabel's
own time alone. ``--part slot``: whole tiny slots, by enumeration of all structures in CVXPY and by ours.
``--part growth``: time to the gap, and the gap reached, over clusters, devices and blocks; drawn in
docs/figures/segment_scaling.svg. All slots have queues that weigh, as `segment_slots.py` draws them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from benchmarks.provenance import provenance
from benchmarks.segment_speed_points import Point, growth_point, slot_point, structure_point

PARTS = ("structure", "slot", "growth")
FIGURE = Path(__file__).parents[1] / "docs" / "figures" / "segment_scaling.svg"
STRUCTURE_CLUSTERS = (1, 3, 10, 30, 100, 300)
TINY = ((1, 2, 4, 4), (1, 3, 4, 4), (2, 2, 3, 2), (2, 2, 4, 3))  # clusters, devices, blocks, micro-batches
GROWTH: dict[str, tuple[tuple[int, int, int], ...]] = {  # clusters, devices, blocks
    "clusters": tuple((count, 4, 12) for count in (1, 3, 10, 30, 100, 300, 1000)),
    "devices": tuple((3, count, 24) for count in (2, 4, 8, 16, 32)),
    "blocks": tuple((3, 4, count) for count in (4, 8, 12, 24, 48, 96)),
}


def structure_table(rows: Sequence[Point]) -> Iterator[str]:
    """Yield the table of the first part: decisions a second and ratios."""
    yield (
        "| clusters | transfers | kernel | CVXPY anew | CVXPY compiled once | Clarabel alone | anew / kernel "
        "| once / kernel | Clarabel / kernel | not solved | largest difference |"
    )
    yield "| --- |" + " --- |" * 10
    for row in rows:
        times = [row[name] for name in ("ours_s", "anew_s", "once_s", "clarabel_s")]
        cells = [f"{row['clusters']}", f"{row['links']}", *(_rate(value) for value in times)]
        cells += [_ratio(value, row["ours_s"]) for value in times[1:]]
        cells += [f"{row['failures']} of {row['solved']}", _written(row["difference"], "{:.1e}")]
        yield "| " + " | ".join(cells) + " |"


def _rate(seconds: float | None) -> str:
    return (
        "none"
        if seconds is None
        else f"{1 / seconds:,.3g} /s"
        if seconds > 1e-3
        else f"{1 / seconds:,.0f} /s"
    )


def _ratio(theirs: float | None, ours: float) -> str:
    return "none" if theirs is None else f"{theirs / ours:.3g}"


def slot_table(rows: Sequence[Point]) -> Iterator[str]:
    """Yield the table of the second part; an enumeration that was cut short is scaled up, and says so."""
    yield (
        "| clusters x devices, blocks, micro-batches | combinations | enumeration | edgeplan, first slot "
        "| later slots | enumeration / first slot | gap | enumeration above edgeplan |"
    )
    yield "| --- |" + " --- |" * 7
    for row in rows:
        clusters, devices, blocks, most = row["size"]
        cells = [f"{clusters} x {devices}, {blocks}, {most}", f"{row['combinations']:,}", _told(row)]
        cells += [f"{row['cold_s']:.3g} s", _written(row["warm_s"], "{:.3g} s")]
        cells += [f"{_whole_s(row) / row['cold_s']:.3g}", f"{100 * row['gap']:.1e} %"]
        yield "| " + " | ".join([*cells, _written(row["difference"], "{:.1e}")]) + " |"


def _whole_s(row: Point) -> float:
    """Seconds of the enumeration, as if it had gone on at its pace where it was cut short."""
    return float(row["enumeration_s"] * row["combinations"] / row["tried"])


def _told(row: Point) -> str:
    cut = f", extrapolated from {row['tried']:,}" if row["tried"] < row["combinations"] else ""
    failed = f", {row['failures']} not solved" if row["failures"] else ""
    return f"{_whole_s(row):.3g} s{cut}{failed}"


def growth_table(rows: Sequence[Point]) -> Iterator[str]:
    """Yield the table of the third part."""
    yield "| sweep | clusters | devices of each | blocks | first slot | gap | later slots | gap |"
    yield "| --- |" + " --- |" * 7
    for row in rows:
        head = f"| {row['sweep']} | {row['clusters']:,} | {row['devices']} | {row['blocks']} | "
        if row["failure"] is not None:
            yield head + f"{row['failure']} | | | |"
            continue
        cells = [
            text
            for name in ("cold", "warm")
            for text in (_written(row[f"{name}_s"], "{:.3g} s"), _written(row[f"{name}_gap"], "{:.2%}"))
        ]
        yield head + " | ".join(cells) + " |"


def _written(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)


TABLES = {"structure": structure_table, "slot": slot_table, "growth": growth_table}


def points(arguments: argparse.Namespace) -> Iterator[Point]:
    """Measure what is asked for, the smallest first."""
    slots, limit_s, most = arguments.slots, arguments.time_limit, arguments.largest
    if arguments.part in {None, "structure"}:
        for count in STRUCTURE_CLUSTERS[:most]:
            yield structure_point(count, slots, limit_s)
    if arguments.part in {None, "slot"}:
        for size in TINY[:most]:
            yield slot_point(size, slots, limit_s)
    if arguments.part in {None, "growth"}:
        for sweep, sizes in GROWTH.items():
            for triple in islice(sizes, most):
                yield growth_point(sweep, triple, arguments.growth_slots, limit_s, arguments.gap)


def document(rows: Sequence[Point]) -> Iterator[str]:
    """Yield the Markdown of the parts measured."""
    for part, table in TABLES.items():
        own = [row for row in rows if row["part"] == part]
        if own:
            yield from (*table(own), "")


def main() -> None:
    """Measure, print the tables and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--part", choices=PARTS, help="one part alone")
    parser.add_argument("--slots", type=int, default=20, help="slots of each size of the first two parts")
    parser.add_argument("--growth-slots", type=int, default=4, help="slots of each size of the last part")
    parser.add_argument(
        "--time-limit", type=float, default=60.0, help="seconds for a slot, or an enumeration"
    )
    parser.add_argument("--gap", type=float, default=0.01, help="relative gap of the last part")
    parser.add_argument("--largest", type=int, help="take the first so many sizes of each sweep alone")
    parser.add_argument("--out", type=Path, help="file for the measurements as JSON, written as they come")
    parser.add_argument("--figure", type=Path, default=FIGURE, help="file of the figure, svg or png")
    parser.add_argument("--draw", type=Path, help="measure nothing, read the measurements from this file")
    arguments = parser.parse_args()
    rows: list[Point] = json.loads(arguments.draw.read_text(encoding="utf-8")) if arguments.draw else []
    for row in () if arguments.draw else points(arguments):
        rows.append(row)
        print(json.dumps(row), file=sys.stderr, flush=True)
        if arguments.out is not None:
            arguments.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print("\n".join([*document(rows), provenance()]))
    growth = [row for row in rows if row["part"] == "growth"]
    if growth:
        from benchmarks.segment_figure import draw

        draw(growth, arguments.figure)


if __name__ == "__main__":
    main()
