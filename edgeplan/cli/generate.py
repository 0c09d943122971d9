"""``edgeplan generate``: instances of a given size from a seed, one command a problem."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from edgeplan.cli.console import figures, stderr
from edgeplan.cli.files import STANDARD, check_output, read_document, write_json
from edgeplan.cli.options import AggregationWeight, JsonOutput
from edgeplan.errors import UsageError
from edgeplan.models.model import Model, model_faults
from edgeplan.models.reading import read_document as read_typed
from edgeplan.models.segment_scheduling import SegmentScheduling
from edgeplan.models.segment_scheduling.encoder import bert_like, encoder_of
from edgeplan.models.segment_scheduling.generated import Size, generated
from edgeplan.models.sparse_update import SparseUpdate
from edgeplan.models.sparse_update.generated import Size as UpdateSize
from edgeplan.models.sparse_update.generated import generated as generated_updates
from edgeplan.models.sparse_update.mcunetv3_instance import read_gains
from edgeplan.report.units import bytes_text, counted, range_text

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
    output: JsonOutput = STANDARD,
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


@generate.command("sparse_update")
def sparse_update(
    devices: Annotated[int, typer.Option(min=1, help="Devices.")] = 7,
    classes: Annotated[int, typer.Option(min=1, help="Different memories among them.")] = 7,
    memory: Annotated[
        str, typer.Option(help="Smallest and largest memory, in KB of 1024 bytes.")
    ] = "50..140",
    aggregation_weight: AggregationWeight = 0.1,
    gains: Annotated[
        Path | None,
        typer.Option(
            help="CSV with the columns index and accuracy_gain_points: what training each convolution alone "
            "brings; drawn by default."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of memories, speeds and contributions.")] = 0,
    output: JsonOutput = STANDARD,
) -> None:
    """Microcontrollers that each train parts of MCUNetV3's MobileNetV2, 51 convolutions, within their memory.

    Memory is that of MCUNetV3's model: activations and weights of 8 bits. The largest memory holds about a
    third of what could be trained.

    Example: edgeplan generate sparse_update --devices 10000 --classes 50 -o instance.json
    """
    check_output(output)
    least, most = _memory_range(memory)
    size = UpdateSize(devices, classes, least, most)
    measured = None if gains is None else read_gains(gains)
    document = generated_updates(size, seed=seed, aggregation_weight=aggregation_weight, gains=measured)
    problem = SparseUpdate.from_document(document)
    write_json(problem.document, output)
    memories = sorted({device.memory_bytes for device in problem.instance.devices})
    rows = {
        "instance": escape(problem.instance.name),
        "model": f"{len(problem.instance.layers)} layers, "
        f"{sum(len(layer.options) for layer in problem.instance.layers)} options",
        "memory": f"{range_text(bytes_text(memories[0]), bytes_text(memories[-1]))}, "
        f"{counted(len(memories), 'size')}",
    }
    stderr.print(figures(rows))


def _memory_range(text: str) -> tuple[int, int]:
    """Read two numbers of KB as bytes."""
    low, _, high = text.partition("..")
    try:
        least, most = round(1024 * float(low)), round(1024 * float(high or low))
    except (OverflowError, ValueError):
        least, most = 0, 0
    if not 0 < least <= most:
        raise UsageError(
            f"--memory: {text!r}: must be two numbers of KB that rise, such as 50..140; write it so"
        )
    return least, most


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
