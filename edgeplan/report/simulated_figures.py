"""The figures of a simulation as people read them, on a page and on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from edgeplan.models.simulated import Distribution, Simulation
from edgeplan.report.units import (
    UNKNOWN,
    bytes_text,
    counted,
    decimal_text,
    percent_text,
    seconds_text,
    three_digits,
)

COLUMNS = ("of a round", "predicted", "mean", "5 %", "50 %", "95 %", "99 %", "largest")
"""Columns of `distributions`; a percentage is of rounds that are at most so."""
_NEVER = "never"


def distributions(simulation: Simulation) -> list[list[str]]:
    """Return a row a figure: its prediction, mean and percentiles."""
    predicted, energy = simulation.predicted, simulation.energy_j
    rows = [
        _row("time", predicted.time_s, simulation.time_s, seconds_text),
        _row("bytes moved", predicted.bytes_moved, simulation.bytes_moved, bytes_text),
    ]
    return rows + ([] if energy is None else [_row("energy", predicted.energy_j, energy, _energy_text)])


def _row(
    name: str, predicted: float | None, found: Distribution, text: Callable[[float | None], str]
) -> list[str]:
    ranks = (found.p5, found.p50, found.p95, found.p99, found.largest)
    return [name, text(predicted), text(found.mean), *(_NEVER if one is None else text(one) for one in ranks)]


def _energy_text(energy_j: float | None) -> str:
    return decimal_text(energy_j, "J")


def spent(simulation: Simulation) -> Iterator[tuple[str, str]]:
    """Yield what the mean round's time went to."""
    whole_s, shares = simulation.time_s.mean, simulation.shares
    for name, seconds in (
        ("computing", shares.compute_s),
        ("transfers", shares.transfer_s),
        ("waiting", shares.waiting_s),
        ("lost work", shares.lost_s),
    ):
        share = "" if seconds is None or not whole_s else f", {percent_text(seconds / whole_s)}"
        yield name, (UNKNOWN if seconds is None else seconds_text(seconds)) + share


def circumstances(simulation: Simulation) -> dict[str, str]:
    """Return how the rounds were drawn and how they ended."""
    settings, rows = simulation.settings, {}
    jitter = {name: share for name, share in settings.jitter.model_dump().items() if share}
    rows["jitter"] = ", ".join(f"{name} {percent_text(share)}" for name, share in jitter.items()) or "none"
    rows["churn"] = _churn_text(simulation)
    if settings.local_steps is not None:
        rows["steps before an aggregation"] = str(settings.local_steps)
    if simulation.deadline_s is not None:
        share = percent_text(simulation.above_deadline)
        rows["deadline"] = f"{seconds_text(simulation.deadline_s)}, missed by {share} of rounds"
    endless = settings.rounds - simulation.rounds_ended
    if endless:
        rows["without an end"] = f"{counted(endless, 'round')} of {settings.rounds:,}"
    return rows


def _churn_text(simulation: Simulation) -> str:
    churn = simulation.settings.churn
    if churn is None:
        return "none"
    parts = [
        f"there for {seconds_text(churn.mean_up_s)}, away for {seconds_text(churn.mean_down_s)} in the mean",
        f"policy {simulation.settings.absent}",
        f"in a round {three_digits(simulation.lost_per_round)} times work lost",
    ]
    for name, number in (
        ("replaced", simulation.replaced_per_round),
        ("skipped", simulation.skipped_per_round),
    ):
        parts += [f"{three_digits(number)} {name}"] if number else []
    return ", ".join(parts)
