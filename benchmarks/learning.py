"""Snake beside federated averaging and split learning: ``python -m benchmarks.learning``.

Digits, and a language model of the characters of Python's help, on the six devices of
``instances/layer_assignment``; split evenly (IID), or by a
Dirichlet distribution with concentration 2 and 0.5.
All methods take as many device iterations on the same batches. Each of the three plain methods has the
learning rate of `RATES` that ends with the least loss on a seed of its own, with concentration 2; a variant
takes that of its plain method. Everything is computed in this process, see learning_methods.py.

Prints Markdown, the paper's claims beside ours. ``--out`` keeps every run, and takes up where it was
interrupted, also with more seeds; the picture goes there too.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

import edgeplan
from benchmarks.learning_figure import draw
from benchmarks.learning_methods import METHODS, Method, OneProcess
from benchmarks.learning_table import Run, document
from benchmarks.provenance import provenance
from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.runtime.processes.records import read_json, write_json
from edgeplan.runtime.snake import RunSettings, prepare

INSTANCES = Path(__file__).parents[1] / "instances" / "layer_assignment"
ALPHAS = {"IID": 1e6, "alpha 2": 2.0, "alpha 0.5": 0.5}
"""Concentrations; with the first all shards have the same shares of labels."""
PLAIN = tuple(method for method in METHODS if "schedule" not in method.settings)
"""Methods with one rate throughout; text is left to them, for the time that it takes."""
CHOOSING_SEED = 100
CHOOSING_SPLIT = "alpha 2"


@dataclass(frozen=True)
class Task:
    """What is learned.

    Parameters
    ----------
    data
        As `RunSettings` names it.
    instance
        Name of the instance's file.
    rates
        Learning rates to choose from.
    rounds
        Visits to every node.
    score_every
        Rounds between two scores.
    methods
        Who takes part.
    """

    data: str
    instance: str
    rates: tuple[float, ...]
    rounds: int
    score_every: int = 1
    methods: tuple[Method, ...] = METHODS

    def problem(self) -> LayerAssignment:
        """Load the instance."""
        problem = edgeplan.load(INSTANCES / f"{self.instance}.json")
        assert isinstance(problem, LayerAssignment)
        return problem


TASKS = (
    Task("digits", "digits-6-nodes", (0.0003, 0.001, 0.003), rounds=10),
    Task("topics", "char-transformer-6-nodes", (0.001, 0.003, 0.01), rounds=8, score_every=2, methods=PLAIN),
)


@dataclass
class Keeper:
    """Trains, each run once.

    Parameters
    ----------
    task
        What is learned.
    folder
        Keeps the runs.
    """

    task: Task
    folder: Path

    def __post_init__(self) -> None:
        """Solve the instance."""
        self.problem = self.task.problem()
        found = edgeplan.solve(self.problem).plan
        assert found is not None
        self.plan: Plan = self.problem.plan_from_document(found)

    def run(self, method: Method, split: str, seed: int, rate: float) -> Run:
        """Return a run, made now or before."""
        path = self.folder / self.task.data / f"{method.slug}-{split.replace(' ', '-')}-{seed}-{rate:g}.json"
        if not path.is_file():
            print(
                f"{self.task.data}, {method.name}, {split}, seed {seed}, {rate:g}",
                file=sys.stderr,
                flush=True,
            )
            path.parent.mkdir(parents=True, exist_ok=True)
            write_json(path, asdict(self._train(method, split, seed, rate)))
        return Run(**read_json(path))

    def _train(self, method: Method, split: str, seed: int, rate: float) -> Run:
        settings = RunSettings(
            data=self.task.data,
            rounds=self.task.rounds,
            alpha=ALPHAS[split],
            seed=seed,
            learning_rate=rate,
            emulation="none",
            **method.settings,
        )
        with tempfile.TemporaryDirectory() as folder:
            job = prepare(self.problem, self.plan, settings, out=Path(folder))
            memory = method.memory(OneProcess(job))
            curve = list(self._curve(method, OneProcess(job)))
        return Run(self.task.data, method.name, split, seed, rate, curve, memory, job.divergences)

    def _curve(self, method: Method, nodes: OneProcess) -> Iterator[dict[str, Any]]:
        a_round = len(nodes.nodes) * self.problem.instance.training.local_steps
        moved = 0
        for number, num_bytes in enumerate(method.rounds(nodes), start=1):
            moved += num_bytes
            if number % self.task.score_every == 0:
                score = nodes.score()
                told = {"loss": score.loss, "accuracy": score.accuracy}
                yield {"device_iterations": number * a_round, "bytes": moved} | told

    def rate(self, method: Method) -> float:
        """Return the rate with the least loss at the end, for a variant that of its plain method."""
        plain = next(one for one in METHODS if one.rounds is method.rounds)
        tried = [self.run(plain, CHOOSING_SPLIT, CHOOSING_SEED, rate) for rate in self.task.rates]
        return min(tried, key=lambda run: run.curve[-1]["loss"]).rate


def runs(tasks: Sequence[Task], seeds: Sequence[int], folder: Path) -> Iterator[Run]:
    """Yield all runs, seed after seed."""
    for task in tasks:
        keeper = Keeper(task, folder)
        for seed in seeds:
            for split in ALPHAS:
                for method in task.methods:
                    yield keeper.run(method, split, seed, keeper.rate(method))


def main() -> None:
    """Run what is not kept yet, print the tables and draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", default="", help="part of a task's name: digits or topics")
    parser.add_argument("--out", type=Path, default=Path("learning"), help="folder that keeps runs")
    given = parser.parse_args()
    torch.set_num_threads(1)
    tasks = [task for task in TASKS if given.only in task.data]
    found = list(runs(tasks, given.seeds, given.out))
    print("\n".join([f"{provenance()} torch {version('torch')}.", "", *document(found)]), flush=True)
    for suffix in ("svg", "png"):
        draw(found, given.out / f"learning.{suffix}")


if __name__ == "__main__":
    main()
