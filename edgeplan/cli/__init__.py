"""The command line: one verb a file; errors become one clear line each and an exit code."""

from __future__ import annotations

import sys

import typer

from edgeplan.cli.begun import BEGUN
from edgeplan.cli.check import check
from edgeplan.cli.doctor import doctor
from edgeplan.cli.explain import explain
from edgeplan.cli.generate import generate
from edgeplan.cli.instance import instance
from edgeplan.cli.profile import profile
from edgeplan.cli.replan import replan
from edgeplan.cli.report import report
from edgeplan.cli.run import run
from edgeplan.cli.schema import schema
from edgeplan.cli.simulate import simulate
from edgeplan.cli.solve import solve
from edgeplan.cli.sweep import sweep
from edgeplan.errors import EdgeplanError, InvalidInputError

app = typer.Typer(
    help="Plan the training of neural networks on edge devices, prove how good the plan is, and run it.",
    epilog="Exit codes: 0 done, 1 internal error, 2 invalid input, 3 proven infeasible, 5 limit reached "
    "without a plan, 6 violations or a run that missed its tolerance, 7 back-end missing or crashed, "
    "130 interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for verb in (solve, check, explain, replan, sweep, profile, run, simulate, report, schema, doctor):
    app.command()(verb)
app.add_typer(generate, name="generate")
app.add_typer(instance, name="instance")


def main(begun: float) -> None:
    """Run the command line; `begun` is the monotonic time from which time limits count."""
    noted = BEGUN.set(begun)
    try:
        app()
    except EdgeplanError as error:
        for line in error.lines() if isinstance(error, InvalidInputError) else [str(error)]:
            print(line, file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    finally:
        BEGUN.reset(noted)
