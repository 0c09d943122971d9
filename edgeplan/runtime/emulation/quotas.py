"""Shares of the processor: a control group a node, of version 1 or 2.

The kernel stops a group's processes for the rest of a period once they have used its quota. The quota is of
some milliseconds: interrupted more often, work finds its caches cold and takes twice the processor time.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edgeplan.errors import RunError, UsageError
from edgeplan.runtime.emulation.ownership import orphans

ROOT = Path("/sys/fs/cgroup")
GROUP = "EDGEPLAN_CONTROL_GROUP"
"""Environment variable of processes in a control group: its folder."""
_QUOTA_US, _LEAST_QUOTA_US, _LONGEST_PERIOD_US = 5000, 1000, 1_000_000
_GONE_S = 2.0


@dataclass(frozen=True)
class ControlGroup:
    """A control group for the processor.

    Parameters
    ----------
    folder
        Where the kernel shows it.
    """

    folder: Path

    @property
    def _is_second_version(self) -> bool:
        return (self.folder / "cpu.max").exists()

    def set_share(self, share: float | None) -> None:
        """Let the group have so many processors; None is no limit.

        Raises
        ------
        RunError
            When the share is less than the kernel's least quota in its longest period.

        Examples
        --------
        >>> quota_and_period(0.25), quota_and_period(0.01)
        ((5000, 20000), (5000, 500000))
        """
        quota, period = (None, _QUOTA_US) if share is None else quota_and_period(share)
        if self._is_second_version:
            self._write("cpu.max", f"{'max' if quota is None else quota} {period}")
            return
        self._write("cpu.cfs_quota_us", "-1")  # first, since a shorter period may not fit the old quota
        self._write("cpu.cfs_period_us", str(period))
        if quota is not None:
            self._write("cpu.cfs_quota_us", str(quota))

    @property
    def processes(self) -> list[int]:
        """Numbers of the processes in the group."""
        return [int(word) for word in (self.folder / "cgroup.procs").read_text().split()]

    def remove(self) -> None:
        """End what is left in the group, and delete it."""
        until_s = time.monotonic() + _GONE_S
        while True:
            for process in self.processes:
                os.kill(process, signal.SIGKILL)
            try:
                self.folder.rmdir()
            except OSError:  # a process needs some time to go
                if time.monotonic() > until_s:
                    raise
                time.sleep(0.01)
            else:
                return

    def _write(self, name: str, value: str) -> None:
        (self.folder / name).write_text(value, encoding="ascii")


def quota_and_period(share: float) -> tuple[int, int]:
    """Return quota and period in microseconds.

    Raises
    ------
    RunError
        When the kernel takes none for this share.
    """
    period = min(_LONGEST_PERIOD_US, round(_QUOTA_US / share))
    quota = round(share * period)
    if quota < _LEAST_QUOTA_US:
        raise RunError(f"a share of {share:.2g} of a processor: the least is 0.001; scale the speeds up")
    return quota, period


def controller() -> Path | None:
    """Folder in which groups for the processor can be made; None where there is none."""
    for folder, limit in ((ROOT / "cpu", "cpu.cfs_quota_us"), (ROOT, "cgroup.subtree_control")):
        if (folder / limit).exists() and os.access(folder, os.W_OK):
            if limit == "cgroup.subtree_control" and "cpu" not in (folder / limit).read_text().split():
                continue
            return folder
    return None


@contextmanager
def control_groups(names: list[str]) -> Iterator[list[ControlGroup]]:
    """Make control groups without limits, and remove them at the end, with the processes in them.

    Raises
    ------
    RunError
        Where there is no controller of the processor to be written.
    """
    folder = controller()
    if folder is None:
        raise RunError(f"{ROOT}: no controller of the processor that may be written; run as root")
    take_down_orphans()
    made: list[ControlGroup] = []
    try:
        for name in names:
            (folder / name).mkdir()
            made.append(ControlGroup(folder / name))
        yield made
    finally:
        for group in made:
            group.remove()


def take_down_orphans() -> list[str]:
    """Remove the groups of runs that are gone, with what is left in them; return their names."""
    folder = controller()
    left = [] if folder is None else orphans(path.name for path in folder.iterdir() if path.is_dir())
    for name in left:
        assert folder is not None
        ControlGroup(folder / name).remove()
    return left


def own_group() -> ControlGroup:
    """Return the control group that this process was put into.

    Raises
    ------
    UsageError
        When it was not: somebody else than edgeplan started it.
    """
    folder = os.environ.get(GROUP)
    if folder is None:
        raise UsageError(
            "emulation kernel: only edgeplan run makes the nodes of a job; prepare it with emulation none"
        )
    return ControlGroup(Path(folder))
