"""Commands of the system, run to their end."""

from __future__ import annotations

import subprocess

from edgeplan.errors import RunError


def run_command(*words: str, lines: str | None = None) -> str:
    """Run a command and return what it wrote.

    Parameters
    ----------
    words
        The command and its arguments.
    lines
        Its standard input.

    Raises
    ------
    RunError
        With the command's own words, when it fails or is not there.
    """
    try:
        done = subprocess.run(words, input=lines, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise RunError(f"{words[0]}: not found; install it, or run with --emulation process") from error
    if done.returncode:
        raise RunError(f"{' '.join(words)}: {done.stderr.strip() or f'exit code {done.returncode}'}")
    return done.stdout
