"""With what a benchmark ran: versions and processors, for the line under its table."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import version

PACKAGES = ("edgeplan", "ortools", "numpy", "scipy")


def provenance() -> str:
    """Return one line with the command, versions and the number of processors.

    Examples
    --------
    >>> "edgeplan" in provenance()
    True
    """
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    command = " ".join(
        ["python -m benchmarks." + os.path.basename(sys.argv[0]).removesuffix(".py"), *sys.argv[1:]]
    )
    return (
        f"`{command}`; Python {platform.python_version()}, {packages}; "
        f"{platform.machine()}, {os.cpu_count()} processors."
    )
