"""``edgeplan generate``: instances of a given size from a seed, one command a problem."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from edgeplan.cli.console import figures, stderr
from edgeplan.cli.files import STANDARD, check_output, read_document, write_json
from edgeplan.models.model import Model, model_faults
from edgeplan.models.reading import read_document as read_typed
from edgeplan.models.segment_scheduling import SegmentScheduling
from edgeplan.models.segment_scheduling.encoder import bert_like, encoder_of
from edgeplan.models.segment_scheduling.generated import Size, generated
from edgeplan.report.units import bytes_text, range_text

_DEFAULT_BLOCKS = 12

generate = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown")


@generate.callback()
def about() -> None:
    """Make an instance of a given size from a seed: the same seed gives the same bytes.

    Instances are realistic and have a plan; limits are set so that several of them bind.

    Example: edgeplan generate segment_scheduling --clusters 3 --devices 4 --slots 200 -o instance.json
    """


@generate.command("segment_scheduling")
def segment_scheduling(
    clusters: Annotated[int, typer.Option(min=1, help="Clusters.")] = 3,
    devices: Annotated[int, typer.Option(min=1, help="Devices of each cluster.")] = 4,
    blocks: Annotated[
        int | None,
        typer.Option(
            min=1, help="Encoder blocks: 12 like BERT-base's by default; of a profile the first so many."
        ),
    ] = None,
    micro_batches: Annotated[int, typer.Option(min=1, help="Most micro-batches of a cluster.")] = 16,
    slots: Annotated[int, typer.Option(min=1, help="Length of the horizon.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Of devices, budgets and fading.")] = 0,
    profile: Annotated[
        Path | None, typer.Option(help="Model section as profile writes it, for its encoder blocks.")
    ] = None,
    layers: Annotated[
        str | None,
        typer.Option(
            help="Regular expression found in the names of the profile's encoder blocks; by default the "
            "largest family of names that differ in their last number only."
        ),
    ] = None,
    trace: Annotated[
        bool, typer.Option("--trace", help="Write the gains of every slot in place of the fading's seed.")
    ] = False,
    output: Annotated[Path, typer.Option("-o", "--output", help="JSON; - is standard output.")] = STANDARD,
) -> None:
    """Clusters of phones, boards and laptops that train an encoder as pipelines, slot by slot.

    Memory is for parts of the encoder, often not for all of it on one device. Energy budgets pay for 0.55
    to 0.95 of the most micro-batches where blocks are split evenly, the noise budget asks for 0.625 of
    them: as a rule they can be kept together, but not by the plan that is fastest.

    Example: edgeplan profile bert-base -o bert.json && edgeplan generate segment_scheduling
    --profile bert.json --clusters 2 --seed 7 -o instance.json
    """
    check_output(output)
    if profile is None:
        model = bert_like(blocks or _DEFAULT_BLOCKS)
    else:
        model = encoder_of(_profiled(profile), layers, blocks)
    size = Size(clusters, devices, micro_batches, slots)
    problem = SegmentScheduling.from_document(generated(model, size, seed=seed, trace=trace))
    write_json(problem.document, output)
    stderr.print(figures(_summary(problem)))


def _profiled(path: Path) -> Model:
    """Read a model section, alone or beside the timings that ``profile --measure`` writes."""
    document, source = read_document(path)
    section: Any = document["model"] if "model" in document and "layers" not in document else document
    return read_typed(section, Model, also=model_faults(section, ()), source=source)


def _summary(problem: SegmentScheduling) -> dict[str, str]:
    instance = problem.instance
    segments, devices = problem.segments, [x for cluster in instance.clusters for x in cluster.devices]
    alone = segments.memory_bytes(0, segments.num_blocks - 1, 1)
    memory = [device.memory_bytes for device in devices]
    holding = sum(amount >= alone for amount in memory)
    return {
        "instance": escape(instance.name),
        "model": f"{segments.num_blocks} blocks, {bytes_text(alone)} to train them all on one device",
        "devices": f"{len(devices)} of {range_text(bytes_text(min(memory)), bytes_text(max(memory)))}, "
        f"{holding} with room for all blocks",
    }
