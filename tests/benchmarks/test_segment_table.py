"""The tables of the policies say what was measured, beside the paper's figures, losses included."""

from __future__ import annotations

from typing import Any

from benchmarks.rivals.segment_scheduling import CONTROLLER, UNLIMITED
from benchmarks.segment_table import bent_rules, beside_the_paper, effort, figures, verdict

FIGURES = {
    "latency_s": 2.0,
    "micro_batch_s": 0.2,
    "efficiency": 0.3,
    "efficiency_of_all": 0.2,
    "memory_bytes": 2**28,
    "slot_memory_bytes": 2**27,
    "memory_share": 0.5,
    "energy_j": 40.0,
    "excess": 0.004,
    "noise": 1.0,
    "micro_batches": 10.0,
    "stages": 3.0,
}


def _row(policy: str, seed: int, **changed: Any) -> dict[str, Any]:
    own = FIGURES | {name: value for name, value in changed.items() if name in FIGURES}
    row = {"case": "a", "seed": seed, "policy": policy, "slots": 10, "whole": own, "late": own}
    row |= {"notes": [], "illegal": [], "seconds": 2.0, "mean_gap": None, "largest_gap": None}
    return row | {name: value for name, value in changed.items() if name not in FIGURES}


ROWS = [
    _row(CONTROLLER, 1, mean_gap=0.01, largest_gap=0.02),
    _row(CONTROLLER, 2, latency_s=4.0, mean_gap=0.03, largest_gap=0.05),
    _row("by speed", 1, latency_s=4.0, efficiency=0.2, excess=0.5, notes=["c0: moved"]),
    _row("by speed", 2, latency_s=8.0, efficiency=0.2, excess=0.7, notes=["c1: moved"]),
    _row("no queues", 1, latency_s=1.0, noise=3.0),
    _row("no queues", 2, latency_s=2.0, noise=3.0),
    _row(UNLIMITED, 1, memory_bytes=2**30, illegal=["memory"]),
]


def test_figures_are_means_with_intervals_over_seeds() -> None:
    line = next(line for line in figures(ROWS, "late") if line.startswith("| by speed |"))
    # 12.706 is the quantile of Student's t with one degree of freedom
    assert line.startswith("| by speed | 6 ± 25.4 | 0.2 ± 0 | 20.0 % ± 0.0 % | 20.0 % ± 0.0 % | 256 ± 0 |")


def test_a_policy_that_is_not_legal_is_marked() -> None:
    assert any(line.startswith(f"| {UNLIMITED} (not legal) | 2 |") for line in figures(ROWS, "late"))


def test_gains_are_paired_by_seed_and_stand_beside_the_papers() -> None:
    head, rule, paper, *lines = beside_the_paper(ROWS, "late")
    assert paper.startswith("| CollaPipe's abstract | at least 48.98 % |")
    assert head.count("|") == rule.count("|") == paper.count("|") == lines[0].count("|")
    assert lines[0].startswith("| by speed | 50.0 % ± 0.0 % | 0.0 % ± 0.0 % | 50.0 % ± 0.0 % |")
    assert lines[0].endswith("| energy 60.0 % over |")
    assert lines[1].endswith("| not legal |")
    assert lines[2].endswith("| noise 200.0 % over |")
    kept = [*ROWS, _row("one cut", 1)]
    assert list(beside_the_paper(kept, "late"))[4].endswith("| yes |")


def test_the_verdict_names_who_gives_the_papers_figures_and_every_loss() -> None:
    told = list(verdict(ROWS, "late"))
    assert "- Latency at least 48.98 % lower against: by speed." in told
    assert "- Memory of one device halved against: one device, memory ignored." in told
    assert '- Loses on "latency lower" to: no queues (100.0 %).' in told
    assert '- Loses on "memory less" to: none.' in told


def test_bent_rules_and_broken_ones_are_told() -> None:
    assert list(bent_rules(ROWS)) == [
        "- by speed: moved (seed and cluster: 1 c0, 2 c1)",
        f"- {UNLIMITED}: breaks memory",
    ]


def test_effort_has_the_gap_where_there_is_one() -> None:
    _, _, ours, *rest = effort(ROWS)
    assert ours == "| controller | 5 | 2 % | 5 % |"
    assert rest[0] == "| by speed | 5 |  |  |"
