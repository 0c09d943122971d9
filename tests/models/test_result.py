"""Results: combinations that cannot be are refused where a result is built."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from edgeplan.models.result import Result, Status, Stop, gap_between

PLAN: dict[str, Any] = {"stages": [{"node": "p", "layers": ["a"]}]}
WITH_PLAN = (Status.OPTIMAL, Status.FEASIBLE)
PROVEN = (Status.OPTIMAL, Status.INFEASIBLE)


def result(status: str, stop: str, **members: Any) -> Result:
    return Result.model_validate(
        {
            "problem": "layer_assignment",
            "instance_sha256": "0" * 64,
            "status": status,
            "stop": stop,
            "solver": {"name": "test", "version": "1"},
            "runtime_s": 0.0,
        }
        | members
    )


def with_plan(status: str, stop: str, bound: float | None = 8.0, **members: Any) -> Result:
    figures = {"plan": PLAN, "metrics": {}, "objective": 8.0, "bound": bound, "gap": gap_between(8.0, bound)}
    return result(status, stop, **(figures | members))


def _fits(status: Status, stop: Stop) -> bool:
    if (stop is Stop.PROOF) != (status in PROVEN):
        return False
    return status is not Status.FAILED or stop is Stop.ERROR


@pytest.mark.parametrize(("status", "stop"), [*itertools.product(Status, Stop)])
def test_status_and_stop_go_together_or_are_refused(status: Status, stop: Stop) -> None:
    build = with_plan if status in WITH_PLAN else result
    if _fits(status, stop):
        assert build(status, stop).status is status
    else:
        with pytest.raises(ValueError, match="does not go with status"):
            build(status, stop)


@pytest.mark.parametrize("status", ["infeasible", "no_plan", "failed"])
def test_a_plan_without_a_status_for_it_is_refused(status: str) -> None:
    stop = {"infeasible": "proof", "failed": "error"}.get(status, "time_limit")
    with pytest.raises(ValueError, match="goes without a plan"):
        with_plan(status, stop)


@pytest.mark.parametrize("missing", ["plan", "objective"])
def test_half_a_plan_is_refused(missing: str) -> None:
    with pytest.raises(ValueError, match="goes with a plan"):
        with_plan("feasible", "time_limit", **{missing: None})


@pytest.mark.parametrize("bound", [None, 7.9])
def test_optimal_without_a_bound_that_meets_the_objective_is_refused(bound: float | None) -> None:
    with pytest.raises(ValueError, match="needs a bound that meets"):
        with_plan("optimal", "proof", bound=bound)


def test_a_gap_below_a_millionth_is_optimal() -> None:
    assert with_plan("optimal", "proof", bound=8.0 * (1 - 9e-7)).status is Status.OPTIMAL


def test_a_gap_that_does_not_follow_is_refused() -> None:
    with pytest.raises(ValueError, match="gap must follow"):
        with_plan("feasible", "time_limit", bound=4.0, gap=0.4)


def test_conflicts_without_infeasibility_are_refused() -> None:
    conflict = {"pointer": "/limits/min_nodes", "need": 1, "have": 2}
    assert result("infeasible", "proof", conflicts=[conflict]).conflicts
    with pytest.raises(ValueError, match="only an infeasible instance has conflicts"):
        result("no_plan", "time_limit", conflicts=[conflict])


@pytest.mark.parametrize(("field", "value"), [("status", "perfect"), ("stop", "boredom"), ("extra", 1)])
def test_words_outside_the_format_are_refused(field: str, value: Any) -> None:
    document = result("no_plan", "time_limit").to_document() | {field: value}
    with pytest.raises(ValueError, match=field):
        Result.model_validate(document)


def test_plan_objective_and_metrics_are_present_exactly_with_a_plan() -> None:
    members = {"plan", "objective", "metrics"}
    assert members <= with_plan("feasible", "time_limit", bound=None).to_document().keys()
    assert not members & result("infeasible", "proof").to_document().keys()


@pytest.mark.parametrize("built", [with_plan("optimal", "proof"), result("no_plan", "interrupt", bound=1.0)])
def test_a_result_survives_the_way_to_json_and_back(built: Result) -> None:
    assert Result.model_validate(json.loads(json.dumps(built.to_document()))) == built


@pytest.mark.parametrize(
    ("objective", "bound", "gap"),
    [(4.0, 3.0, 0.25), (0.0, 0.0, 0.0), (None, 1.0, None), (1.0, None, None), (-2.0, -3.0, 0.5)],
)
def test_the_gap_is_relative_to_the_objective(objective: Any, bound: Any, gap: Any) -> None:
    assert gap_between(objective, bound) == gap
