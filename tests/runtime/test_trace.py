from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from edgeplan.runtime.report.trace import Span, trace_document

spans = st.builds(
    lambda node, start_s, lasted_s: Span("train", node, start_s, start_s + lasted_s),
    st.sampled_from(["a", "b"]),
    st.floats(0, 1e3),
    st.floats(0, 1e3),
)


@given(st.lists(spans), st.lists(spans))
def test_every_span_that_takes_time_is_an_event_in_its_lane(
    planned: list[Span], measured: list[Span]
) -> None:
    document = json.loads(json.dumps(trace_document(["a", "b"], planned, measured), allow_nan=False))
    for lane, own in enumerate((planned, measured)):
        events = [one for one in document["traceEvents"] if one["pid"] == lane and one["ph"] == "X"]
        lasting = [span for span in own if span.end_s > span.start_s]
        assert [one["tid"] for one in events] == [["a", "b"].index(span.node) for span in lasting]
        assert all(one["dur"] > 0 and one["ts"] >= 0 for one in events)


def test_lanes_and_nodes_have_names() -> None:
    names = [one["args"]["name"] for one in trace_document(["a", "b"], [], [])["traceEvents"]]
    assert names == ["planned", "a", "b", "measured", "a", "b"]
