"""Pages of a sweep over the price of time V."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from page_reader import NASTY, Reader, stands_alone
from report_documents import write
from small_segments import problem

from edgeplan.errors import InvalidInputError
from edgeplan.models.segment_scheduling.sweep import Sweep
from edgeplan.report import render_report
from edgeplan.report.schedule.trade_off import TradeOff, slope

PROBLEM = problem(slots=12)
DOCUMENT = PROBLEM.document


def point(tradeoff: float, **members: float) -> dict[str, Any]:
    """Make a point of which latency falls to 10 s like 1/V and queues grow like V."""
    return {
        "tradeoff": tradeoff,
        "mean_latency_s": 10.5 + 3 / tradeoff,
        "late_latency_s": 10 + 4 / tradeoff,
        "late_queue": 2 * tradeoff,
        "end_queue": 2 * tradeoff,
        "worst_violation": 0.1,
        "late_violation": 0.0,
        "offline_bound_s": 9.0,
        "late_bound_s": 10.0 - 0.1 * (tradeoff < 100),
        "run_bound_s": 10.5,
        "open_slots": 0,
        "slots_per_s": 30.0,
    } | members


def sweep(*points: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {
        "format": "edgeplan/1",
        "kind": "sweep",
        "problem": PROBLEM.name,
        "instance_sha256": PROBLEM.instance_sha256,
        "name": PROBLEM.instance.name,
        "slots": 12,
        "points": list(points),
        "solver": {"name": "dssda", "version": "1", "options": {"gap": 0.001}},
        "runtime_s": 3.0,
    } | members


LAWFUL = sweep(*(point(value) for value in (0.1, 1.0, 10.0, 100.0)))


def text_of(folder: Path, **documents: dict[str, Any]) -> str:
    page = render_report(write(folder, **documents))
    assert stands_alone(page)
    return " ".join(Reader(page).text.split())


def test_the_page_shows_points_bounds_and_how_they_run(tmp_path: Path) -> None:
    text = text_of(tmp_path, instance=DOCUMENT, sweep=LAWFUL)
    for told in (
        "4 trade-offs, each over 12 slots.",
        "Latency and queues over the price of time",
        "Mean latency above the bound of its run: like V^-1.00 over 4 points; theory has O(1/V).",
        "Late latency above its bound, stationary runs: like V^-1.00 over 4 points",
        "Late queues, where they have grown: like V^1.00 over 3 points; theory has O(V).",
        "Trade-offs 4 V 0.1 – 100 1/s",
        "Solver dssda 1",
    ):
        assert told in text
    for left_out in ("Hollow", "Below the bound", "not solved to the gap", "is not among the files"):
        assert left_out not in text


def test_the_same_sweep_gives_the_same_page(tmp_path: Path) -> None:
    paths = write(tmp_path, instance=DOCUMENT, sweep=LAWFUL)
    assert render_report(paths) == render_report(paths)


def test_the_order_of_the_points_does_not_matter(tmp_path: Path) -> None:
    turned = LAWFUL | {"points": LAWFUL["points"][::-1]}
    assert render_report(write(tmp_path, one=LAWFUL)) == render_report(write(tmp_path, one=turned))


def test_a_sweep_without_its_instance_is_shown_and_says_so(tmp_path: Path) -> None:
    text = text_of(tmp_path, sweep=LAWFUL)
    assert PROBLEM.instance.name in text
    assert "The instance is not among the files; the sweep alone is shown." in text


def test_trade_offs_without_a_plan_are_named_with_their_reasons(tmp_path: Path) -> None:
    failed = [{"tradeoff": 3.0, "reason": f"no time {NASTY}"}, {"tradeoff": 5.0, "reason": "interrupted"}]
    page = render_report(write(tmp_path, sweep=sweep(point(1.0), failed=failed)))
    assert stands_alone(page)
    text = Reader(page).text
    assert "2 trade-offs without a plan." in text
    assert f"V = 3: no time {NASTY}" in text
    assert "V = 5: interrupted" in text


def test_a_sweep_without_any_point_says_why(tmp_path: Path) -> None:
    text = text_of(tmp_path, sweep=sweep(failed=[{"tradeoff": 3.0, "reason": "no time"}]))
    assert "V = 3: no time" in text
    assert "Latency and queues" not in text


def test_runs_that_have_not_settled_and_that_undercut_the_bound_are_said_to(tmp_path: Path) -> None:
    wild = point(100.0, late_violation=0.3, late_latency_s=8.0)
    text = text_of(tmp_path, sweep=sweep(point(1.0), point(10.0), wild))
    assert "Hollow: a budget is exceeded by more than 2 % late" in text
    assert "Below the bound, by exceeding budgets: V = 100." in text
    assert "stationary runs: 2 points above 0, too few to fit a power" in text


def test_bounds_below_zero_say_nothing(tmp_path: Path) -> None:
    text = text_of(tmp_path, sweep=sweep(point(1.0, late_bound_s=-5.0, run_bound_s=-9.0)))
    assert "No bound is above 0 here, so none is drawn." in text
    assert text.count("below 0") == 2


def test_slots_left_open_are_counted(tmp_path: Path) -> None:
    text = text_of(tmp_path, sweep=sweep(point(1.0, open_slots=5), point(2.0)))
    assert "5 of 24 slots were not solved to the gap asked for" in text


@pytest.mark.parametrize("num_points", [1, 300])
def test_any_number_of_points_is_drawn_in_bounded_space(tmp_path: Path, num_points: int) -> None:
    page = render_report(write(tmp_path, sweep=sweep(*(point(1.0 + k) for k in range(num_points)))))
    assert len(page) < 400_000
    assert stands_alone(page)


def test_figures_of_zeros_are_drawn_without_a_warning(tmp_path: Path) -> None:
    zeros = dict.fromkeys(point(1.0), 0.0) | {"open_slots": 0}
    assert "nothing above 0" in render_report(
        write(tmp_path, sweep=sweep(*(zeros | {"tradeoff": value} for value in (1e-9, 1e9))))
    )


def test_two_sweeps_and_a_result_stand_side_by_side(tmp_path: Path) -> None:
    text = text_of(tmp_path, instance=DOCUMENT, one=LAWFUL, two=LAWFUL)
    assert "2 sweeps" in text
    assert "Sweep 2" in text


def test_a_faulty_sweep_names_its_faults(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"/points/0/late_queue: .*sweep\.json"):
        render_report(write(tmp_path, sweep=sweep(point(1.0, late_queue=-1.0))))


def test_the_largest_bound_counts_at_every_point() -> None:
    trade_off = TradeOff.of(Sweep.model_validate(LAWFUL))
    assert trade_off.best_bound_s == 10.0
    assert trade_off.excess_s(trade_off.points[1]) == pytest.approx(4.0)


def test_a_power_is_fitted_from_three_points_on() -> None:
    assert slope([(1.0, 5.0), (10.0, 0.5)]) is None
    assert slope([(1.0, 5.0), (10.0, 0.5), (100.0, 0.05)]) == -1.0
