from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeplan.errors import UsageError
from edgeplan.runtime.report.deviations import NAMES, deviation_of, missed, tolerances_of


@pytest.mark.parametrize(
    "text", ["round", "round=", "round=x", "round=-0.1", "speed=0.1", "=0.1", "round=nan"]
)
def test_what_is_no_tolerance_is_refused_with_what_is(text: str) -> None:
    with pytest.raises(UsageError, match=r"must be one of bytes, memory, transfer, compute, round"):
        tolerances_of([text])


def test_the_last_of_two_tolerances_for_one_figure_holds() -> None:
    assert tolerances_of(["round=0.1", "round=20%"]) == {"round": 0.2}


@given(st.lists(st.tuples(st.floats(0.1, 1e6), st.floats(0, 1e6)), min_size=1), st.floats(0.1, 10))
def test_a_deviation_is_relative(pairs: list[tuple[float, float]], factor: float) -> None:
    scaled = [(factor * predicted, factor * measured) for predicted, measured in pairs]
    assert deviation_of(scaled) == pytest.approx(deviation_of(pairs), rel=1e-6, abs=1e-9)
    assert deviation_of([(predicted, predicted) for predicted, _ in pairs]) == 0.0


def test_what_is_within_its_tolerance_is_not_missed() -> None:
    deviations = dict.fromkeys(NAMES, 0.1)
    assert not list(missed(deviations, dict.fromkeys(NAMES, 0.1)))
    assert len(list(missed(deviations, dict.fromkeys(NAMES, 0.09)))) == len(NAMES)
    assert not list(missed(deviations, {}))
