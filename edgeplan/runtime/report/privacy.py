"""What nodes have given away of their samples, for run reports: epsilon of each, and what it says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import Any

from rich.table import Table

from edgeplan.runtime.learning.privacy.accounting import Taken, epsilon_of
from edgeplan.runtime.learning.privacy.mechanism import Privacy
from edgeplan.runtime.report.table import titled

JsonObject = dict[str, Any]


def spender(privacy: Privacy, node: str, samples: int, taken: Sequence[Taken]) -> JsonObject:
    """Return what one node has given away.

    Parameters
    ----------
    privacy
        The mechanism.
    node
        Its id.
    samples
        That it holds.
    taken
        All its steps on them.
    """
    rates = sorted({one.sample_rate for one in taken})
    return {
        "node": node,
        "samples": samples,
        "sample_rates": rates,
        "steps": sum(one.steps for one in taken),
        "epsilon": epsilon_of(privacy, taken),
        "delta": privacy.delta,
    }


def privacy_entry(privacy: Privacy, nodes: Sequence[JsonObject]) -> JsonObject:
    """Return the mechanism, how its guarantee was reckoned, and what each node has given away."""
    return {
        "noise_multiplier": privacy.noise,
        "max_gradient_norm": privacy.clip,
        "delta": privacy.delta,
        "seeded": privacy.seed is not None,
        "sampling": "poisson",
        "neighbours": "one sample more or less",
        "accountant": f"opacus {version('opacus')} rdp",
        "nodes": list(nodes),
    }


def notes_on_privacy(privacy: Privacy | None) -> Iterator[str]:
    """Yield what a reader must know of the guarantee, one sentence each."""
    if privacy is None:
        return
    if privacy.seed is not None:
        yield (
            f"sampling and noise came from noise_seed {privacy.seed}: whoever knows it can take the noise "
            "away; epsilon is what noise from the system's entropy would give"
        )
    yield (
        "epsilon is an upper bound for whoever sees all that a node sends in this run, for one sample (an "
        "image, or a window of text) more or less: each step drew samples independently (Poisson), clipped "
        f"each one's gradient to norm {privacy.clip:g} and added noise of {privacy.noise:g} times that; "
        "further runs on the same samples add to it"
    )
    yield (
        "it covers the parameters; not how many samples and labels a node has, from which split, sample "
        "rates, plans and teachers follow, nor its times; losses on its samples are withheld, scores are of "
        "held-out samples"
    )
    yield (
        "samples of a step were taken one by one: memory is predicted with a batch of one and the sum of "
        "clipped gradients; the calibrated step is such a step too, which takes longer than the plain one "
        "that the instance speaks of"
    )


def privacy_table(entry: JsonObject | None) -> Iterator[Table]:
    """Yield the table of what each node has given away; nothing without differential privacy."""
    if entry is None:
        return
    epsilon = "epsilon, void by noise_seed" if entry["seeded"] else "epsilon"
    table = titled(f"privacy at delta {entry['delta']:g}", "node", "samples", "rate", "steps", epsilon)
    for one in entry["nodes"]:
        rates = " ".join(f"{rate:.3g}" for rate in one["sample_rates"])
        table.add_row(one["node"], str(one["samples"]), rates, str(one["steps"]), f"{one['epsilon']:.4g}")
    yield table
