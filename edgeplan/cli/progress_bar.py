"""A bar for work whose steps are counted, on a terminal only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import Progress

from edgeplan.cli.console import stderr


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None] | None]:
    """Give what takes steps done and steps in all; None where nobody looks."""
    if not stderr.is_terminal:
        yield None
        return
    with Progress(console=stderr, transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
