"""An explanation as people read it: the answer in one line, then short tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from rich import box
from rich.markup import escape
from rich.table import Table

from edgeplan.cli.console import stdout
from edgeplan.models.explanation import Explanation, NodeUse, Outcome, WhatIf
from edgeplan.models.problem import Problem
from edgeplan.models.problems import PROBLEMS
from edgeplan.report.units import bytes_text, percent_text, rate_text, seconds_text, shortened
from edgeplan.solvers.units import figure_text

_MOST_ROWS = 12
_NAME_WIDTH = 28
_NO_SLACK_S = 1e-9
_MOST_NODES = 24
_HELD_BACK = {
    "uplink": "uplink of the sender",
    "downlink": "downlink of the receiver",
    "both": "both ends alike",
    "link": "the link itself",
    "latency": "latency alone",
}


def show(problem: Problem, explanation: Explanation) -> None:
    """Print an explanation to standard output."""
    unit = problem.objective_unit
    name = escape(problem.instance.name)
    stdout.print(f"[bold]{name}[/bold]: {_known(explanation, unit)}", soft_wrap=True)
    colour = "green" if explanation.plan_objective is not None and not explanation.violations else "red"
    stdout.print(f"[bold {colour}]{escape(explanation.headline)}[/bold {colour}]", soft_wrap=True)
    if explanation.detail:
        stdout.print(escape(explanation.detail), style="dim", soft_wrap=True)
    for violation in explanation.violations:
        stdout.print(f"  {escape(violation['pointer'])}: {escape(violation['message'])}", soft_wrap=True)
    _show_conflict(explanation)
    if explanation.what_if or explanation.nodes:
        _show_purchases(explanation, unit)
    _list("What binds", list(_binding(explanation)))
    _list("Limits with slack", [use.message for use in explanation.limits if not use.binds])
    if explanation.nodes:
        _show_nodes(explanation)


def _known(explanation: Explanation, unit: str) -> str:
    """What is known of the instance, in a line."""
    if explanation.status is None:
        return "not solved"
    if explanation.objective is None:
        return f"{explanation.status}"
    parts = [f"objective {figure_text(explanation.objective, unit)}"]
    if explanation.status == "optimal":
        parts = [f"optimal, {parts[0]}"]
    elif explanation.gap is not None:
        what = "the least of its slots" if explanation.problem == "segment_scheduling" else "the optimum"
        side = "below" if PROBLEMS[explanation.problem].maximises else "above"
        parts.append(f"at most {percent_text(explanation.gap)} {side} {what}")
    else:
        parts.append("how far from the optimum is not known")
    given = explanation.plan_objective
    if given is not None and abs(given - explanation.objective) > 1e-6 * abs(explanation.objective):
        parts.append(f"the plan given: {figure_text(given, unit)}")
    return ", ".join(parts)


def _show_conflict(explanation: Explanation) -> None:
    failing = [condition.message for condition in explanation.conditions if not condition.holds]
    _list("By arithmetic alone", failing)
    if explanation.conflict:
        how = "checked by solving" if explanation.conflict_verified else "not all of it could be checked"
        _list(
            f"Cannot hold together ({how})",
            [_blamed(member.message, member.needed) for member in explanation.conflict],
        )
    _list(
        "One of these changes is enough",
        [_change(one.message, one.smallest) for one in explanation.relaxations],
    )


def _blamed(message: str, needed: bool | None) -> str:
    return message if needed else f"{message} (perhaps not needed for the conflict)"


def _change(message: str, smallest: bool) -> str:
    return message if smallest else f"{message} (perhaps less is enough)"


def _list(title: str, lines: Sequence[str]) -> None:
    if lines:
        stdout.print(f"\n[bold]{title}[/bold]")
        for line in lines:
            stdout.print(f"  {escape(line)}", soft_wrap=True)


def _show_purchases(explanation: Explanation, unit: str) -> None:
    _titled("What to buy", _gains(explanation, unit))
    for line in _without_gain(explanation.what_if):
        stdout.print(line, soft_wrap=True)


def _show_nodes(explanation: Explanation) -> None:
    _titled(
        f"Nodes, in stage order; {escape(str(explanation.most_loaded_node))} computes longest",
        _nodes(explanation),
    )
    if explanation.most_loaded_link is not None:
        source, target = explanation.most_loaded_link
        _titled(f"Links; {escape(source)} to {escape(target)} takes longest", _links(explanation))


def _titled(title: str, table: Table) -> None:
    stdout.print(f"\n[bold]{title}[/bold]")
    stdout.print(table)


def _table(*columns: str) -> Table:
    """A plain table; a column whose name ends in > is set to the right."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in columns:
        justify: Literal["right", "left"] = "right" if column.endswith(">") else "left"
        table.add_column(column.rstrip(">"), justify=justify, overflow="fold")
    return table


def _cut(table: Table, num_more: int) -> Table:
    """Say how many rows are not shown."""
    if num_more > 0:
        table.add_row(f"and {num_more} more (--json has all)")
    return table


def _gains(explanation: Explanation, unit: str) -> Table:
    verb = "brings>" if PROBLEMS[explanation.problem].maximises else "saves>"
    table = _table("change", "objective>", verb, "proof")
    gaining = [one for one in explanation.what_if if one.gain]
    for one in gaining[:_MOST_ROWS]:
        share = percent_text(one.gain_share)
        objective = "" if one.objective is None else figure_text(one.objective, unit)
        table.add_row(escape(one.change), objective, share, _proof(one, unit))
    if not gaining:
        table.add_row("none of the changes tried")
    return _cut(table, len(gaining) - _MOST_ROWS)


def _proof(one: WhatIf, unit: str) -> str:
    if one.outcome is Outcome.SETTLED:
        return "proven"
    ceiling = "" if one.gain_at_most is None else f", at most {figure_text(one.gain_at_most, unit)}"
    how = "" if one.solved else ", plan as it is"
    if one.outcome is Outcome.AT_LEAST:
        return f"at least {figure_text(one.gain_at_least or 0.0, unit)}{ceiling}{how}"
    return f"best known{ceiling}{how}"


def _without_gain(found: Sequence[WhatIf]) -> Iterator[str]:
    """Name, in a line each, the changes that buy nothing, those left open and those not tried."""
    nothing = [one for one in found if one.gain == 0.0 and one.outcome is Outcome.SETTLED]
    left_open = [one for one in found if one.gain == 0.0 and one.outcome is not Outcome.SETTLED]
    not_tried = [one for one in found if one.outcome is Outcome.NOT_TRIED]
    for title, group in (
        ("Proven to buy nothing", nothing),
        ("No gain found, not settled", left_open),
        ("Not tried, time ran out", not_tried),
    ):
        if group:
            yield f"[dim]{title}:[/dim] {escape('; '.join(_together(group)))}"


def _together(group: Sequence[WhatIf]) -> Iterator[str]:
    """Name like changes of several nodes in one go."""
    of_kind: dict[str, list[str]] = {}
    for one in group:
        head, preposition, name = _split(one.change)
        of_kind.setdefault(head + preposition, []).append(name)
    for head, names in of_kind.items():
        more = f" and {len(names) - _MOST_ROWS} more" if len(names) > _MOST_ROWS else ""
        yield head + ", ".join(names[:_MOST_ROWS]) + more


def _split(change: str) -> tuple[str, str, str]:
    """Split a change before the node's name, if it names one."""
    for preposition in (" on ", " of "):
        head, found, name = change.partition(preposition)
        if found and " and " not in change:
            return head, found, name
    return "", "", change


def _binding(explanation: Explanation) -> Iterator[str]:
    for use in explanation.limits:
        if use.binds:
            yield use.message
    full = [use.node for use in explanation.nodes if use.holds_another_layer is False]
    if full:
        yield f"memory, no room for another layer: {', '.join(full)}"
    for node in explanation.nodes:
        if node.window_slack_s is not None and node.window_slack_s <= _NO_SLACK_S:
            yield f"window of {node.node}: no slack"


def _nodes(explanation: Explanation) -> Table:
    has_windows = any(use.window_slack_s is not None for use in explanation.nodes)
    columns = ("node", "layers>", "compute>", "memory>", "of>", "free>", "room for one more")
    table = _table(*columns, *(["window slack>"] if has_windows else []))
    for use in explanation.nodes[:_MOST_NODES]:
        table.add_row(*_node_row(use), *([seconds_text(use.window_slack_s)] if has_windows else []))
    return _cut(table, len(explanation.nodes) - _MOST_NODES)


def _node_row(use: NodeUse) -> tuple[str, ...]:
    takes = {True: "yes", False: "no", None: "–"}[use.holds_another_layer]
    return (
        escape(shortened(use.node, _NAME_WIDTH)),
        str(use.layers),
        seconds_text(use.compute_s),
        bytes_text(use.memory_bytes),
        bytes_text(use.memory_budget_bytes),
        percent_text(use.memory_free_share),
        takes,
    )


def _links(explanation: Explanation) -> Table:
    table = _table("from", "to", "bytes>", "time>", "rate>", "held back by")
    for use in explanation.links[:_MOST_NODES]:
        ends = (escape(shortened(name, _NAME_WIDTH)) for name in (use.source, use.target))
        figures = bytes_text(use.num_bytes), seconds_text(use.seconds), rate_text(use.rate_bit_per_s)
        table.add_row(*ends, *figures, _HELD_BACK[use.limited_by])
    return _cut(table, len(explanation.links) - _MOST_NODES)
