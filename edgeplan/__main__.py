"""``python -m edgeplan``."""

from edgeplan.cli import main

main()
