"""The sweep over V runs on the instances and its table has a line a value."""

from __future__ import annotations

from benchmarks.segment_tradeoff import FILES, FOLDER, TRADEOFFS, swept, table


def test_a_short_sweep_has_a_line_for_every_value() -> None:
    done = swept("tiny", 1, (0.1, 10.0), 20.0, 0.01)
    assert [point.tradeoff for point in done.points] == [0.1, 10.0]
    assert [line.split(" | ")[0] for line in table(done)][-2:] == ["| 0.1", "| 10"]


def test_the_values_span_four_decades_and_the_files_are_there() -> None:
    assert (min(TRADEOFFS), max(TRADEOFFS)) == (0.1, 1000.0)
    assert all((FOLDER / f"{file}.json").exists() for file in FILES)
