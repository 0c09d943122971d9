"""Plans of sparse_update and their rivals, executed: ``python -m benchmarks.sparse_executed``.

The measured MobileNetV2 and its seven devices, a process each, on a slow network. Every contender is run
twice over. Paced, messages take as long as on that network: memory, bytes and seconds come from there. In
no time of the network's, for more rounds and several seeds: loss and accuracy come from there, since a
network decides when parameters arrive, not what they are. Seeds say where in its images each device begins.

Prints Markdown, the paper's figures beside ours. ``--out`` keeps every run, and takes up where it was
interrupted; the picture goes there too.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import edgeplan
from benchmarks.provenance import provenance
from benchmarks.rivals.sparse_update import data_parallel
from benchmarks.sparse_contenders import OURS, Contender, contenders
from benchmarks.sparse_executed_figure import draw
from benchmarks.sparse_executed_table import Row, document, row, row_of_own_dense
from benchmarks.sparse_rivals import MEASURED
from edgeplan.models.sparse_update import SparseUpdate
from edgeplan.runtime.processes.records import read_json, report_path, write_json
from edgeplan.runtime.sparse import execution
from edgeplan.runtime.sparse.execution import RunSettings
from edgeplan.runtime.sparse.execution.exchange.ways import GLOO
from edgeplan.runtime.sparse.execution.settings import DENSE, NONE

Report = dict[str, Any]
Execute = Callable[[Contender, RunSettings, str], Report]
"""Runs a contender; the last is the name of the run."""
SCORES = 3
"""Scores over the rounds of a run."""


@dataclass(frozen=True)
class Executor:
    """Runs contenders, each once.

    Parameters
    ----------
    notes
        The instance as plain JSON with its notes.
    folder
        Keeps the runs.
    """

    notes: Mapping[str, Any]
    folder: Path

    def __call__(self, contender: Contender, settings: RunSettings, name: str) -> Report:
        """Return the report of a run, made now or before."""
        folder = self.folder / contender.slug / name
        if report_path(folder).is_file():
            report: Report = read_json(report_path(folder))
            return report
        print(f"{contender.name}, {name}", file=sys.stderr, flush=True)
        if contender.plan is None:
            return data_parallel.run(
                contender.problem,
                self.notes,
                settings,
                bucket_cap_mb=contender.bucket_cap_mb,
                out=folder,
                on_progress=_say,
            )
        return execution.run(
            contender.problem, contender.plan, self.notes, settings, out=folder, on_progress=_say
        )


def _say(scored: Mapping[str, Any]) -> None:
    where = f"{scored['phase']}, round {scored['round']} of {scored['rounds']}"
    print(f"  {where}: accuracy {100 * scored['accuracy']:.1f} %", file=sys.stderr, flush=True)


def rows(
    taking_part: Iterable[Contender],
    execute: Execute,
    *,
    rounds: int,
    paced_rounds: int,
    seeds: Sequence[int],
) -> Iterator[Row]:
    """Run every contender, and yield its row; ours brings that of its dense baseline along."""
    for contender in taking_part:
        baseline = DENSE if contender.name == OURS else NONE
        paced = execute(contender, _settings(paced_rounds, seeds[0], baseline=baseline), "paced")
        learned = [
            execute(contender, _settings(rounds, seed, collectives=GLOO, baseline=NONE), f"seed-{seed}")
            for seed in ([] if contender.learns_alike else seeds)
        ]
        yield row(contender, paced, learned)
        if contender.name == OURS:
            yield row_of_own_dense(contender.problem, paced["baseline"])


def _settings(rounds: int, seed: int, **members: Any) -> RunSettings:
    return RunSettings(rounds=rounds, seed=seed, score_every=max(1, rounds // SCORES), **members)


def main() -> None:
    """Run what is not kept yet, print the tables and draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=90, help="of training, for every seed")
    parser.add_argument("--paced-rounds", type=int, default=5, help="on the slow network, for seconds")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--bandwidth", type=float, default=1e7, help="bit/s")
    parser.add_argument("--latency", type=float, default=0.01, help="seconds")
    parser.add_argument("--time-limit", type=float, default=60.0, help="seconds for each of our plans")
    parser.add_argument("--out", type=Path, default=Path("sparse-executed"), help="folder that keeps runs")
    given = parser.parse_args()
    _same_settings(given.out, vars(given))
    measured = edgeplan.load(MEASURED)
    assert isinstance(measured, SparseUpdate)
    problem = measured.replace(network={"latency_s": given.latency, "bit_per_s": given.bandwidth})
    found = list(
        rows(
            contenders(problem, given.time_limit, given.out),
            Executor(read_json(MEASURED), given.out),
            rounds=given.rounds,
            paced_rounds=given.paced_rounds,
            seeds=given.seeds,
        )
    )
    found.sort(key=lambda one: not one.name.startswith("dense"))
    print("\n".join([provenance(), "", *document(found)]), flush=True)
    for suffix in ("svg", "png"):
        draw(found, given.out / f"sparse_executed.{suffix}")


def _same_settings(out: Path, given: Mapping[str, Any]) -> None:
    """Refuse a folder with runs of other settings; more seeds may join."""
    told = {name: value for name, value in given.items() if name not in ("out", "seeds")}
    path = out / "settings.json"
    out.mkdir(parents=True, exist_ok=True)
    if path.is_file() and read_json(path) != told:
        raise SystemExit(f"{out}: holds runs with {read_json(path)}; name another folder")
    write_json(path, told)


if __name__ == "__main__":
    main()
