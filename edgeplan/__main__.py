"""The script ``edgeplan``, and ``python -m edgeplan``."""

from __future__ import annotations

import sys
import time


def main() -> None:
    """Run the command line; an interrupt ends it quietly even while it is being loaded."""
    begun = time.monotonic()
    try:
        from edgeplan.cli import main as run

        run(begun)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
