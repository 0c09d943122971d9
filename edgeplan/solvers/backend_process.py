"""A back-end in a child process of its own: it may abort, hang or be killed without harm to us.

OR-Tools and HiGHS cannot be imported into one process, and native code does not always keep its time
limits. So a back-end is a module that reads jobs from standard input and writes messages to standard
output, one JSON object a line; the last message of a job has ``"final": true``. The child runs in a
session of its own, so that Ctrl-C reaches only the parent, which then holds the best plan so far.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import IO, Any, Self

from edgeplan.errors import BackendError

GRACE_S = 0.25  # what a back-end may take beyond its own limit before it is killed

Job = dict[str, Any]
Message = dict[str, Any]


class BackendTimeoutError(Exception):
    """The child did not answer in time and was killed."""


class BackendProcess:
    """A warm child that takes one job after another.

    Parameters
    ----------
    module
        Module to run, which calls `serve`.
    """

    def __init__(self, module: str) -> None:
        self._module = module
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  closed in close()
        self._child = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            start_new_session=True,
        )
        self._lines: queue.Queue[bytes | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def messages(self, job: Job, *, until: float) -> Iterator[Message]:
        """Send a job and yield its messages, the final one last.

        Parameters
        ----------
        until
            Monotonic time; a child that has not answered by then, and a moment more, is killed.

        Raises
        ------
        BackendTimeoutError
            When it was killed for that.
        BackendError
            When it broke.
        """
        self._send(job)
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, until + GRACE_S - time.monotonic()))
            except queue.Empty:
                self.close()
                raise BackendTimeoutError from None
            if line is None:
                raise BackendError(self._last_words())
            message = self._read_message(line)
            yield message
            if message.get("final"):
                return

    def _read_message(self, line: bytes) -> Message:
        try:
            message = json.loads(line)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            raise BackendError(f"back-end {self._module} wrote {line[:80]!r}, which is no message")
        return message

    def _send(self, job: Job) -> None:
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(json.dumps(job, separators=(",", ":")).encode() + b"\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            raise BackendError(self._last_words()) from None

    def _last_words(self) -> str:
        code = self._child.wait()
        self._stderr.seek(0)
        lines = self._stderr.read().decode("utf-8", "replace").strip().splitlines()
        return f"back-end {self._module} ended with {code}: {lines[-1] if lines else 'no message'}"

    def close(self) -> None:
        """Kill the child with all that it has started, and free its pipes."""
        if self._child.poll() is None:
            os.killpg(self._child.pid, signal.SIGKILL)  # its session is its own, and CBC a child of it
        self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                _close_quietly(pipe)
        self._stderr.close()


def _close_quietly(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except BrokenPipeError:
        return


def serve(solve: Callable[[Job, Callable[[Message], None]], Message]) -> None:
    """Run the child's loop: `solve(job, send)` may send messages and returns the final one."""

    def send(message: Message) -> None:
        sys.stdout.write(json.dumps(message, separators=(",", ":")) + "\n")
        sys.stdout.flush()

    for line in sys.stdin:
        send({**solve(json.loads(line), send), "final": True})
