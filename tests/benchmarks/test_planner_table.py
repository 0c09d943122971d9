"""The table of the comparison says what happened, losses included."""

from __future__ import annotations

from benchmarks.planner_cases import planner_cases
from benchmarks.planner_table import Entry, Line, losses, row, summary

WON = Line("a", 2.0, Entry(2.0, 0.1), "optimal", "s", {"x": Entry(3.0, 2.0), "y": Entry(None, 2.0)})
LOST = Line("b", None, Entry(4.0, 0.1), "feasible", "s", {"x": Entry(3.0, 2.0), "y": Entry(4.0, 2.0)})
EMPTY = Line("c", 1.0, Entry(None, 5.0), "no_plan", "s", {"x": Entry(3.0, 2.0), "y": Entry(None, 2.0)})


def test_a_row_shows_ratios_to_the_bound_and_says_where_there_is_no_plan() -> None:
    assert row(WON) == "| a | 1.0000, 0.10 s | optimal | s | 1.5000, 2 s | no plan, 2 s |"


def test_without_a_bound_ratios_are_to_the_best_known_and_the_row_says_so() -> None:
    assert row(LOST) == "| b | 1.3333, 0.10 s | no bound | s | 1.0000, 2 s | 1.3333, 2 s |"


def test_every_loss_is_listed() -> None:
    assert list(losses([WON, LOST, EMPTY])) == [
        "- b: x is 25 % better (2.0 s)",
        "- c: x has a plan and edgeplan has none (2.0 s)",
    ]


def test_the_summary_counts_wins_ties_losses_and_missing_plans() -> None:
    _, _, of_x, of_y = summary([WON, LOST, EMPTY])
    # geometric mean of 1.5 and 0.75
    assert of_x == "| x | 1.061 | 1.5000 | 1 | 0 | 1 | 0 | 1 | 2.00 s |"
    assert of_y == "| y | 1.000 | 1.0000 | 0 | 1 | 0 | 1 | 0 | 2.00 s |"


def test_cases_have_names_of_their_own() -> None:
    names = [case.name for case in planner_cases()]
    assert len(names) == len(set(names))
