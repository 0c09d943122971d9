"""Everybody fails in every phase of a round: is the run finished, done work kept, are the parameters right?

    python -m benchmarks.failures [--of rounds slots batches updates clients] [--kinds kill hang unlink]
        [--patience S] [--only PATTERN] [--out FOLDER]

Of rounds: nodes of the serial schedule, by peers and by a server (`benchmarks.failing_rounds`). Of slots:
control units, devices and server of a segment schedule (`benchmarks.failing_slots`). Of batches: nodes of a
pipeline (`benchmarks.failing_batches`). Of updates: devices of sparse updates (`benchmarks.failing_updates`).
Of clients: those of federated averaging, and the server (`benchmarks.failing_clients`).
`hang` and `unlink` are noticed by silence. The runs are named what-kind-phase-node; all of them take hours.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

import torch

from benchmarks import failing_batches, failing_clients, failing_rounds, failing_slots, failing_updates
from benchmarks.failure_trials import Outcome, Trial
from benchmarks.provenance import provenance
from edgeplan.runtime.processes.rehearsal import HANG, KILL, UNLINK

TRIALS = {
    "rounds": failing_rounds.trials,
    "slots": failing_slots.trials,
    "batches": failing_batches.trials,
    "updates": failing_updates.trials,
    "clients": failing_clients.trials,
}

Found = tuple[Trial, Outcome, float]
"""A trial, what came of it, and the seconds that it took."""


def table(found: Sequence[Found]) -> Iterator[str]:
    """Yield the counts as Markdown."""
    yield "| what | kind | phase | runs | finished | work kept | parameters equal | median s |"
    yield "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |"
    for row in dict.fromkeys((trial.what, trial.fault.kind, trial.fault.phase) for trial, _, _ in found):
        cell = [
            (outcome, seconds)
            for trial, outcome, seconds in found
            if (trial.what, trial.fault.kind, trial.fault.phase) == row
        ]
        counts = [sum(getattr(one, name) for one, _ in cell) for name in ("finished", "kept", "equal")]
        median_s = statistics.median(seconds for _, seconds in cell)
        yield f"| {' | '.join(map(str, [*row, len(cell), *counts, f'{median_s:.0f}']))} |"


def main() -> None:
    """Run the matrix and print it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--of", nargs="+", choices=[*TRIALS], default=[*TRIALS])
    parser.add_argument("--kinds", nargs="+", choices=(KILL, HANG, UNLINK), default=[KILL, HANG, UNLINK])
    parser.add_argument(
        "--patience", type=float, default=4.0, help="longest silence of a node, in seconds; by default 4"
    )
    parser.add_argument("--only", default="*", help="pattern of the runs' names; all by default")
    parser.add_argument("--out", type=Path, help="where the runs are kept; a temporary folder by default")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found: list[Found] = []
    with tempfile.TemporaryDirectory() as temporary:
        for trial in (trial for what in arguments.of for trial in TRIALS[what](arguments.kinds)):
            if fnmatch(trial.name, arguments.only):
                folder, begin_s = (arguments.out or Path(temporary)) / trial.name, time.monotonic()
                outcome = trial.strike(trial.fault, folder, arguments.patience)
                found.append((trial, outcome, time.monotonic() - begin_s))
                sys.stderr.write(f"{trial.name} {outcome} {found[-1][2]:.0f} s\n")
    sys.stdout.write("\n".join([*table(found), "", provenance(), ""]))


if __name__ == "__main__":
    main()
