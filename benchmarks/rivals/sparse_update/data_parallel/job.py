"""The job of data parallelism: that of a run, whose plan nobody follows, and the size of DDP's buckets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from edgeplan.models.sparse_update.plan_cost import PlanCost
from edgeplan.runtime.processes.records import job_path, read_json
from edgeplan.runtime.processes.supervision import Crew
from edgeplan.runtime.sparse.execution.job import Job
from edgeplan.runtime.sparse.execution.phases import dense_cost

PROGRAM = "benchmarks.rivals.sparse_update.data_parallel.worker"


@dataclass(frozen=True)
class DataParallelJob:
    """What the processes are told.

    Parameters
    ----------
    folder
        Holds the job files, and later the report.
    bucket_cap_mb
        Size of DDP's buckets; None is its default.
    """

    folder: Path
    bucket_cap_mb: float | None

    @property
    def path(self) -> Path:
        """File of what a run's job does not say."""
        return self.folder / "data-parallel.json"

    @cached_property
    def run_job(self) -> Job:
        """Instance, settings and workload."""
        return Job.read(job_path(self.folder))

    @property
    def crew(self) -> Crew:
        """The processes, one a device."""
        return replace(self.run_job.crew, program=PROGRAM, job=self.path, goes_on=False)

    @cached_property
    def dense(self) -> PlanCost:
        """What the problem predicts of dense data parallelism."""
        cost = dense_cost(self.run_job.problem.instance)
        assert cost is not None, "the instance offers every layer whole"
        return cost

    @classmethod
    def read(cls, path: Path) -> DataParallelJob:
        """Read a job file."""
        return cls(path.parent, read_json(path)["bucket_cap_mb"])
