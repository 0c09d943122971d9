"""The plan and what was measured as two lanes of a trace, for Perfetto or chrome://tracing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_LANES = ("planned", "measured")


def trace_path(folder: Path) -> Path:
    """Where the trace of a finished run stands."""
    return folder / "trace.json"


@dataclass(frozen=True)
class Span:
    """What a node does for some time.

    Parameters
    ----------
    name
        What it does.
    node
        Who does it.
    start_s, end_s
        When, in seconds of the instance since the run's first round began.
    figures
        What else is to be seen of it.
    """

    name: str
    node: str
    start_s: float
    end_s: float
    figures: dict[str, Any] = field(default_factory=dict)


def trace_document(nodes: Sequence[str], planned: Iterable[Span], measured: Iterable[Span]) -> dict[str, Any]:
    """Return the trace as plain JSON values.

    Parameters
    ----------
    nodes
        In the order in which they stand below each other.
    planned, measured
        The two lanes; what takes no time is left out.

    Examples
    --------
    >>> document = trace_document(["pi"], [Span("train", "pi", 0.0, 1.5)], [Span("train", "pi", 0.0, 0.0)])
    >>> [(one["name"], one["dur"]) for one in document["traceEvents"] if one["ph"] == "X"]
    [('train', 1500000.0)]
    """
    place = {node: index for index, node in enumerate(nodes)}
    events: list[dict[str, Any]] = []
    for lane, (title, spans) in enumerate(zip(_LANES, (planned, measured), strict=True)):
        events.append(_named("process_name", lane, 0, title))
        events += [_named("thread_name", lane, index, node) for node, index in place.items()]
        events += [_event(span, lane, place[span.node]) for span in spans if span.end_s > span.start_s]
    return {"traceEvents": events, "displayTimeUnit": "ms"}


def _named(kind: str, lane: int, thread: int, name: str) -> dict[str, Any]:
    return {"name": kind, "ph": "M", "pid": lane, "tid": thread, "args": {"name": name}}


def _event(span: Span, lane: int, thread: int) -> dict[str, Any]:
    return {
        "name": span.name,
        "ph": "X",
        "pid": lane,
        "tid": thread,
        "ts": 1e6 * span.start_s,
        "dur": 1e6 * (span.end_s - span.start_s),
        "args": span.figures,
    }
